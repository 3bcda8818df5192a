"""Request budgets: what was used of an exchange's limits, counted for every process that shares an address."""

from millrace_bus.budget.budget import DEFAULT_EGRESS, Budget, Charge, RequestBudget, Verdict
from millrace_bus.budget.local import LocalBudget
from millrace_bus.budget.shared import SharedBudget

__all__ = ["DEFAULT_EGRESS", "Budget", "Charge", "LocalBudget", "RequestBudget", "SharedBudget", "Verdict"]
