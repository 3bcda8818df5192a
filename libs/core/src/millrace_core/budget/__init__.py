"""Request budgets: what was used of an exchange's limits. The form that processes share is `millrace_bus.budget`."""

from millrace_core.budget.budget import DEFAULT_EGRESS, Budget, Charge, RequestBudget, Verdict
from millrace_core.budget.local import LocalBudget

__all__ = ["DEFAULT_EGRESS", "Budget", "Charge", "LocalBudget", "RequestBudget", "Verdict"]
