"""What an exchange does wrong on purpose: answers and events that are lost, late, doubled or false, and refusals.

`rule` says to which requests and events it happens; `over_http`, `events` and a dialect's sockets do it, `interference`
what happens at the market meanwhile.
"""

from millrace_simulator.faults.events import EventLine
from millrace_simulator.faults.interference import Interference
from millrace_simulator.faults.over_http import faulty_answers
from millrace_simulator.faults.rule import FAULTS, FaultKind, FaultRule, Faults

__all__ = ["FAULTS", "EventLine", "FaultKind", "FaultRule", "Faults", "Interference", "faulty_answers"]
