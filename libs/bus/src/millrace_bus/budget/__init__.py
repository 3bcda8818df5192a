"""The request budget that all processes of an address share."""

from millrace_bus.budget.shared import SharedBudget

__all__ = ["SharedBudget"]
