"""Errors of exchanges, classified by what they mean for the request.

MillraceError
├── ExchangeError            exchange, action, kind,  root of all failures of an exchange or its connection
│   │                        canceled
│   ├── Retryable            retry_after_ms,          nothing was done; the same may be tried again later
│   │   │                    is_disconnected, is_vain
│   │   └── IncompleteList   rows                     the exchange listed a part, and does not show the rest
│   ├── Rejected             reason                   not done as asked, nor will it be if sent again as it is
│   │   └── OrderNotFound                             the exchange has no such order
│   ├── OutcomeUnknown                                it may have been done: ask, never send again
│   └── Fatal                                         the account cannot trade: stop it and alert people
├── UnknownExchange          exchange                 ccxt has no exchange of that id, or none with streams
└── UnsupportedCcxt          found, wanted            the installed ccxt is not the required version
"""

from collections.abc import Sequence
from typing import Any

from millrace_core.errors import MillraceError
from millrace_core.orders import Order


class UnknownExchange(MillraceError):
    """No exchange of this id can be opened."""

    def __init__(self, exchange: str, hint: str = "; use a ccxt id such as binance or kucoin") -> None:
        super().__init__(f"ccxt has no exchange {exchange!r}{hint}")
        self.exchange = exchange


class UnsupportedCcxt(MillraceError):
    """The installed ccxt is not the version that the adapter was built for."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"ccxt {found} is installed, but {wanted} is required: install requirements.lock")
        self.found = found
        self.wanted = wanted


class ExchangeError(MillraceError):
    """Root of the failures of an exchange; always one of the four classes below."""

    def __init__(self, message: str, *, exchange: str, action: str, kind: str) -> None:
        super().__init__(message)
        self.exchange = exchange
        self.action = action
        """The action, such as `createOrder`."""
        self.kind = kind
        """Name of ccxt's class for it, such as `InsufficientFunds`: for people to read, never to decide by."""
        self.canceled: tuple[Order, ...] = ()
        """Of a cancel-all: orders of which the exchange said that they were canceled, before or in spite of this."""


class Retryable(ExchangeError):
    """Nothing was done; the request may be tried again."""

    def __init__(
        self,
        message: str,
        *,
        exchange: str,
        action: str,
        kind: str,
        retry_after_ms: int = 0,
        is_disconnected: bool = False,
        is_vain: bool = False,
    ) -> None:
        super().__init__(message, exchange=exchange, action=action, kind=kind)
        self.retry_after_ms = retry_after_ms
        """The pause that the exchange asked for after a limit was broken; 0 after any other failure."""
        self.is_disconnected = is_disconnected
        """Whether the connection was lost or refused, so that the request may go over another one at once."""
        self.is_vain = is_vain
        """Whether a question was answered, in a form that proves nothing."""


class IncompleteList(Retryable):
    """The exchange listed orders or trades, and there may be more: what is not listed may exist all the same."""

    def __init__(self, rows: Sequence[Any], *, exchange: str, action: str, why: ExchangeError | None = None) -> None:
        """`why` is the failure of the question for the rest; None if the exchange does not say whether there is one."""
        reason = "does not say whether that is all" if why is None else f"cannot be asked for the rest: {why}"
        super().__init__(
            f"the exchange listed {len(rows)}, and {reason}",
            exchange=exchange,
            action=action,
            kind="BadResponse" if why is None else why.kind,
            retry_after_ms=why.retry_after_ms if isinstance(why, Retryable) else 0,
            is_vain=why.is_vain if isinstance(why, Retryable) else True,
        )
        self.rows = list(rows)
        """What was listed."""


class Rejected(ExchangeError):
    """Not done as asked; the same request will not succeed if it is tried again."""

    @property
    def reason(self) -> str:
        """Say why, in the exchange's words."""
        return str(self)


class OrderNotFound(Rejected):
    """The exchange answered that it has no such order."""


class OutcomeUnknown(ExchangeError):
    """It may or may not have been done: to be settled by asking, never by sending again."""


class Fatal(ExchangeError):
    """The account cannot trade any more, such as when its key was revoked."""
