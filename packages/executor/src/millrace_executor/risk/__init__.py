"""Decides whether an order may be sent: limits of the tenant, of the account, and of the order's source.

`checks` decides, purely, on facts. The other modules gather these facts: what the order comes to, the trusted book,
and what the account holds and has open.
"""

from millrace_executor.risk.checks import Approved, RiskRejection

__all__ = ["Approved", "RiskRejection"]
