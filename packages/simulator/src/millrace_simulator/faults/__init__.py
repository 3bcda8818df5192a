"""What an exchange does wrong on purpose: answers that are lost, late, doubled, garbled or false, and refusals.

`rule` says to which requests it happens; `over_http` and a dialect's sockets do it.
"""

from millrace_simulator.faults.over_http import faulty_answers
from millrace_simulator.faults.rule import FAULTS, FaultKind, FaultRule, Faults

__all__ = ["FAULTS", "FaultKind", "FaultRule", "Faults", "faulty_answers"]
