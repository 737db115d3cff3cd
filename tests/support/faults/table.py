"""FAULTS: the whole table of faults. It is data only; tests and benchmarks run it."""

from tests.support.faults.body import BODY
from tests.support.faults.claims import CLAIMS
from tests.support.faults.delays import DELAYS
from tests.support.faults.endings import ENDINGS
from tests.support.faults.fault import Fault
from tests.support.faults.marks import MARKS
from tests.support.faults.network import NETWORK
from tests.support.faults.odd_wire import ODD_WIRE
from tests.support.faults.status import STATUS
from tests.support.faults.stream import STREAM

FAULTS: tuple[Fault, ...] = (
    *NETWORK, *STATUS, *DELAYS, *BODY, *STREAM, *MARKS, *ODD_WIRE, *ENDINGS, *CLAIMS,
)  # fmt: skip
