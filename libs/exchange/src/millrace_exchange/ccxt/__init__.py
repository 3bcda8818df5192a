"""The adapter that reaches every exchange through ccxt; nothing outside this folder knows ccxt.

Importing it puts ccxt's packages in place without running them, so that no exchange is imported before it is opened.
"""

from millrace_exchange.ccxt import loading as _loading  # isort: split

__all__: list[str] = []
del _loading
