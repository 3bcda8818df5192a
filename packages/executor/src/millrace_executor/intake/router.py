"""Routes requests to accounts, also while an account starts, restarts, or is just being configured."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from millrace_core.names import ExchangeId, StreamName, Tenant
from millrace_executor.accepted_request import UNKNOWN, AcceptedRequest, AccountKey

GRACE_S = 2.0
"""How long a request waits for an account that is not there: its configuration may be on its way."""


class TradingAccount(Protocol):
    """What the router needs of an account."""

    @property
    def symbols(self) -> Collection[str]:
        """Return the symbols of its exchange's markets; empty while they are not known."""

    def take(self, accepted: AcceptedRequest) -> None:
        """Carry a request out."""


class RequestRouter:
    """The accounts that take requests, and the requests that wait for one."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._open: dict[AccountKey, TradingAccount] = {}
        self._symbols: dict[AccountKey, Collection[str]] = {}
        """Symbols of each account, kept while it restarts."""
        self._waiting: dict[AccountKey, dict[AcceptedRequest, asyncio.TimerHandle]] = {}

    def open(self, key: AccountKey, account: TradingAccount) -> None:
        """Let an account take its requests, first those that waited for it."""
        self._open[key] = account
        for accepted, timer in self._waiting.pop(key, {}).items():
            timer.cancel()
            account.take(accepted)

    def close(self, key: AccountKey, account: TradingAccount) -> None:
        """Let an account take no more requests; another that opened since is left alone."""
        if self._open.get(key) is account:
            del self._open[key]
            self._symbols[key] = account.symbols or self._symbols.get(key, ())

    def route(self, accepted: AcceptedRequest) -> None:
        """Hand a request to its account, or have it rejected if none opens within `grace_s`."""
        if account := self._open.get(accepted.account):
            account.take(accepted)
            return
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._give_up, accepted)
        self._waiting.setdefault(accepted.account, {})[accepted] = timer

    def known_part(self, name: StreamName) -> StreamName:
        """Return a stream's name without an exchange or a symbol that no account trades.

        Malformed requests are answered there, so what they invent makes no streams.
        """
        key = AccountKey(name.tenant, name.exchange)
        if key not in self._open and key not in self._symbols:
            return name._replace(exchange=ExchangeId(UNKNOWN), symbol=None)
        symbols = (key in self._open and self._open[key].symbols) or self._symbols.get(key, ())
        return name if name.symbol in symbols else name._replace(symbol=None)

    def shut(self) -> None:
        """Forget waiting requests: the executor ends, and its next run reads them from the journal."""
        for requests in self._waiting.values():
            for timer in requests.values():
                timer.cancel()
        self._waiting.clear()

    def _give_up(self, accepted: AcceptedRequest) -> None:
        waiting = self._waiting.get(accepted.account, {})
        waiting.pop(accepted, None)
        if not waiting:
            # Accounts that senders invent are not kept.
            self._waiting.pop(accepted.account, None)
        tenant, exchange = accepted.account
        accepted.reject_unrouted(
            accepted,
            f"no account of {tenant} on {exchange}: add exchanges.{tenant}.{exchange} to the executor's configuration "
            f"(accounts of {tenant} at work: {self._exchanges_of(tenant)})",
        )

    def _exchanges_of(self, tenant: Tenant) -> str:
        return ", ".join(sorted(key.exchange for key in self._open if key.tenant == tenant)) or "none"
