"""Open exchanges, each shared by the units of one account and closed after the last of them."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange import Exchange, Retryable, open_exchange

log = structlog.get_logger()

EAGER_S: Final = 4.0
"""Quick retries last this long while an exchange cannot be reached at first: it may just be starting."""
EAGER: Final = BackoffPolicy(first_s=0.1, limit_s=0.3)

_Key = tuple[str, ExchangeId, str, Hashable]


class _Shared:
    """One exchange and how many use it."""

    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.eager_until = _now() + EAGER_S
        self.exchange: Exchange | None = None
        self.is_prepared = False


class SharedExchanges:
    """Shares one connection among the units of an account, so that another symbol costs no further login.

    Accounts differ by their settings too: after a change of a key the old connection and the new one may live side by
    side until the last unit has moved.
    """

    def __init__(self) -> None:
        self._shared: dict[_Key, _Shared] = {}

    @asynccontextmanager
    async def use(
        self, exchange_id: ExchangeId, credentials: Credentials, budget: RequestBudget, apart: Hashable = None
    ) -> AsyncIterator[Exchange]:
        """Return the exchange of the account of the budget's tenant, its markets loaded; a further one for `apart`.

        Raises:
            ExchangeError: it cannot be reached, or refuses the keys; the next use tries again.
            UnknownExchange: no adapter has an exchange of that id.
        """
        key = (budget.tenant, exchange_id, credentials.model_dump_json(), apart)
        shared = self._shared.setdefault(key, _Shared())
        shared.users += 1
        try:
            yield await self._ready(shared, exchange_id, credentials, budget)
        finally:
            shared.users -= 1
            if not shared.users:
                self._shared.pop(key, None)
                if shared.exchange is not None:
                    await asyncio.shield(shared.exchange.close())

    async def _ready(
        self, shared: _Shared, exchange_id: ExchangeId, credentials: Credentials, budget: RequestBudget
    ) -> Exchange:
        # One at a time: a hundred units that start together ask for the markets once.
        async with shared.opening:
            if shared.exchange is None:
                shared.exchange = await open_exchange(exchange_id, credentials, budget)
            if not shared.is_prepared:
                await _prepared(shared.exchange, shared)
                shared.is_prepared = True
            return shared.exchange


async def _prepared(exchange: Exchange, shared: _Shared) -> None:
    """Prepare an exchange; at first again and again as long as it cannot be reached."""
    backoff = Backoff(EAGER)
    while True:
        try:
            await exchange.prepare()
        except Retryable as error:
            pause_s = backoff.failed()
            if error.retry_after_ms or _now() + pause_s > shared.eager_until:
                raise
            await asyncio.sleep(pause_s)
        else:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()
