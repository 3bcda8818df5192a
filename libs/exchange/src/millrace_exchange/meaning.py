"""What an exchange's answer or failure means for what was asked: the one place where that is decided."""

from typing import Any

from millrace_exchange.errors import ExchangeError


def classify(
    exchange_id: str, action: str, outcome: BaseException | dict[str, Any], *, authenticated: bool = False
) -> ExchangeError | None:
    """Give what ccxt's exception, or the order that it returned, means; None when that order is a real one.

    `authenticated` says that the account's key has worked before: if so, a refusal of the key is `Fatal`.
    """
    raise NotImplementedError
