"""One open exchange: a ccxt instance of ours, its account and its feeds."""

from millrace_core.config.common import Credentials
from millrace_exchange.account import Account


class Exchange:
    """An exchange as one account (or the public) sees it. Made by `open_exchange`; `close` it."""

    def __init__(self, exchange_id: str) -> None:
        self.id = exchange_id
        self.account = Account(self)

    async def prepare(self) -> None:
        """Load the markets and open what trading needs, so that the first order does not wait for it.

        Raises:
            Retryable, Rejected, Fatal: the exchange cannot be reached, or refuses the keys.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close every connection; idempotent."""
        raise NotImplementedError


async def open_exchange(exchange_id: str, credentials: Credentials) -> Exchange:
    """Give an exchange with its settings applied; nothing is sent to it yet.

    Raises:
        UnknownExchange: ccxt has none of that id.
    """
    raise NotImplementedError
