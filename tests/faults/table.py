"""FAULTS: the whole table of faults, data and no code; what runs it is its reader's choice."""

from tests.faults.fault import Fault
from tests.faults.network import NETWORK

FAULTS: tuple[Fault, ...] = NETWORK
