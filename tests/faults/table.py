"""FAULTS: the whole table of faults, data and no code; what runs it is its reader's choice."""

from tests.faults.body import BODY
from tests.faults.claims import CLAIMS
from tests.faults.delays import DELAYS
from tests.faults.endings import ENDINGS
from tests.faults.fault import Fault
from tests.faults.marks import MARKS
from tests.faults.network import NETWORK
from tests.faults.odd_wire import ODD_WIRE
from tests.faults.status import STATUS
from tests.faults.stream import STREAM

FAULTS: tuple[Fault, ...] = (
    *NETWORK, *STATUS, *DELAYS, *BODY, *STREAM, *MARKS, *ODD_WIRE, *ENDINGS, *CLAIMS,
)  # fmt: skip
