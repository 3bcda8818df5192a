"""Open exchanges, each shared by the units of one account and closed after the last of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId, Tenant
from millrace_exchange import Exchange, open_exchange

log = structlog.get_logger()

_Key = tuple[Tenant, ExchangeId, str]


class _Shared:
    """One exchange and how many use it."""

    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.exchange: Exchange | None = None


class SharedExchanges:
    """Gives the units of an account the same connection, so that a symbol more costs no login more.

    Accounts are told apart by their settings too: after a change of a key the old connection and the new
    one may live side by side until the last unit has moved.
    """

    def __init__(self) -> None:
        self._shared: dict[_Key, _Shared] = {}

    @asynccontextmanager
    async def use(self, tenant: Tenant, exchange_id: ExchangeId, credentials: Credentials) -> AsyncIterator[Exchange]:
        """Give the account's exchange, its markets loaded.

        Raises:
            ExchangeError: it cannot be reached, or refuses the keys; the next use tries again.
            UnknownExchange: ccxt has none of that id.
        """
        key = (tenant, exchange_id, credentials.model_dump_json())
        shared = self._shared.setdefault(key, _Shared())
        shared.users += 1
        try:
            yield await self._ready(shared, exchange_id, credentials)
        finally:
            shared.users -= 1
            if not shared.users:
                self._shared.pop(key, None)
                if shared.exchange is not None:
                    await asyncio.shield(shared.exchange.close())

    async def _ready(self, shared: _Shared, exchange_id: ExchangeId, credentials: Credentials) -> Exchange:
        # One at a time: a hundred units that start together ask for the markets once.
        async with shared.opening:
            if shared.exchange is None:
                shared.exchange = await open_exchange(exchange_id, credentials)
            await shared.exchange.prepare()
            return shared.exchange
