"""Routes requests to accounts, also while an account starts, restarts, or is just being configured."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from millrace_core.clock import now_ms
from millrace_core.names import UNKNOWN_EXCHANGE, ExchangeId, StreamName, Tenant
from millrace_executor.accepted_request import AcceptedRequest, AccountKey

GRACE_S = 2.0
"""How long a request waits for an account that is not configured: its configuration may be on its way."""


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
        self._configured: dict[Tenant, Collection[ExchangeId]] = {}
        self._open: dict[AccountKey, TradingAccount] = {}
        self._symbols: dict[AccountKey, Collection[str]] = {}
        """Symbols of each account, kept while it restarts."""
        self._waiting: dict[AccountKey, dict[AcceptedRequest, asyncio.TimerHandle]] = {}

    def configure(self, tenant: Tenant, exchanges: Collection[ExchangeId]) -> None:
        """Learn on which exchanges a tenant has an account: requests for these wait as long as they are valid."""
        self._configured[tenant] = exchanges

    def exchanges_of(self, tenant: Tenant) -> list[ExchangeId]:
        """Return the exchanges on which a tenant has an account."""
        return sorted(self._configured.get(tenant, ()))

    def open(self, key: AccountKey, account: TradingAccount) -> None:
        """Let an account take its requests, first those that waited for it."""
        self._open[key] = account
        for accepted, timer in self._waiting.pop(key, {}).items():
            timer.cancel()
            account.take(accepted)

    def close(self, key: AccountKey, account: TradingAccount) -> None:
        """Let an account take no more requests; another that opened since is left alone."""
        if self._open.get(key) is account:
            self._close(key)

    def forget(self, tenant: Tenant) -> None:
        """Close a tenant's accounts and forget the requests that wait: another executor acts for it."""
        for key in [key for key in self._open if key.tenant == tenant]:
            self._close(key)
        for key in [key for key in self._waiting if key.tenant == tenant]:
            self._forget(key)

    def route(self, accepted: AcceptedRequest) -> None:
        """Hand a request to its account, or have it answered if none opens in time."""
        if account := self._open.get(accepted.account):
            account.take(accepted)
        else:
            self._wait(accepted, self._grace_s)

    def known_part(self, name: StreamName) -> StreamName:
        """Return a stream's name without an exchange or a symbol that no account trades.

        Requests that no account takes are answered there, so what they invent makes no streams.
        """
        key = AccountKey(name.tenant, name.exchange)
        if not self._is_configured(key) and key not in self._open and key not in self._symbols:
            return name._replace(exchange=UNKNOWN_EXCHANGE, symbol=None)
        symbols = (key in self._open and self._open[key].symbols) or self._symbols.get(key, ())
        return name if name.symbol in symbols else name._replace(symbol=None)

    def shut(self) -> None:
        """Forget waiting requests: the executor ends, and the next one reads them from the journal."""
        for key in list(self._waiting):
            self._forget(key)

    def _close(self, key: AccountKey) -> None:
        account = self._open.pop(key)
        self._symbols[key] = account.symbols or self._symbols.get(key, ())

    def _forget(self, key: AccountKey) -> None:
        for timer in self._waiting.pop(key).values():
            timer.cancel()

    def _wait(self, accepted: AcceptedRequest, for_s: float) -> None:
        timer = asyncio.get_running_loop().call_later(for_s, self._waited, accepted)
        self._waiting.setdefault(accepted.account, {})[accepted] = timer

    def _waited(self, accepted: AcceptedRequest) -> None:
        left_s = (accepted.valid_until_ms - now_ms()) / 1000
        is_configured = self._is_configured(accepted.account)
        if is_configured and left_s > 0:
            self._wait(accepted, left_s)
            return
        waiting = self._waiting[accepted.account]
        del waiting[accepted]
        if not waiting:
            # Accounts that senders invent are not kept.
            del self._waiting[accepted.account]
        if is_configured:
            answer = accepted.error_answer("expired", "Expired", "expired before its account was ready to trade")
        else:
            answer = accepted.error_answer("rejected", "BadRequest", self._reason(accepted.account))
        accepted.answer_unrouted(accepted, answer)

    def _is_configured(self, account: AccountKey) -> bool:
        return account.exchange in self._configured.get(account.tenant, ())

    def _reason(self, account: AccountKey) -> str:
        tenant, exchange = account
        return (
            f"no account of {tenant} on {exchange}: add exchanges.{tenant}.{exchange} to the executor's configuration "
            f"(accounts of {tenant} at work: {self._exchanges_of(tenant)})"
        )

    def _exchanges_of(self, tenant: Tenant) -> str:
        return ", ".join(sorted(key.exchange for key in self._open if key.tenant == tenant)) or "none"
