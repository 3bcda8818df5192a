"""The open markets of the exchanges whose symbols a configuration names by patterns, kept current."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_core.errors import MillraceError
from millrace_core.names import ExchangeId, Tenant, is_symbol
from millrace_gatherer.exchanges import SharedExchanges

log = structlog.get_logger()

PATIENCE_S: Final = 5.0
"""How long a configuration waits for markets that are not known; then its other streams begin without."""
_AGAIN: Final = BackoffPolicy(first_s=1.0, limit_s=60.0)
"""Pauses after an exchange could not be asked."""

AccountKey = tuple[Tenant, ExchangeId]


@dataclass(frozen=True)
class Account:
    """One tenant's access to an exchange."""

    tenant: Tenant
    exchange: ExchangeId
    credentials: Credentials
    budget: RequestBudget
    traded: frozenset[str] = frozenset()
    """Symbols in which it has open orders, as far as Redis knows."""

    @property
    def key(self) -> AccountKey:
        """Return what configurations know it by."""
        return self.tenant, self.exchange


class Listing:
    """The symbols of one account's exchange."""

    def __init__(self, account: Account, exchanges: SharedExchanges, changed: asyncio.Event) -> None:
        self.account = account
        """As it was last wanted."""
        self.failure: str | None = None
        """Why they are not known."""
        self._exchanges = exchanges
        self._changed = changed
        self._listed: frozenset[str] | None = None
        self._latest: frozenset[str] = frozenset()
        self._tried = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name=f"listing {account.key}")

    @property
    def symbols(self) -> frozenset[str] | None:
        """Return those that are listed, or were when the markets were loaded before; None while that is not known.

        One that is gone stays for so long, in which its stream says why it has ended; and as long as orders are open
        there, of which its stream finds out what became.
        """
        return None if self._listed is None else self._listed | self.account.traded

    async def tried(self) -> None:
        """Wait until the exchange has answered, or could not be asked."""
        await self._tried.wait()

    async def end(self) -> None:
        """End it."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _keep(self) -> NoReturn:
        backoff = Backoff(_AGAIN)
        while True:
            try:
                await self._follow()
            except MillraceError as error:
                self.failure = str(error)
                self._tried.set()
                await asyncio.sleep(backoff.failed())

    async def _follow(self) -> NoReturn:
        account = self.account
        async with self._exchanges.use(account.exchange, account.credentials, account.budget) as exchange:
            while True:
                self._take(exchange.rules.open_symbols)
                await exchange.reloaded()

    def _take(self, listed: frozenset[str]) -> None:
        # What cannot stand in the name of a stream would end the planning of all.
        listed = frozenset(filter(is_symbol, listed))
        known, self._listed, self._latest = self._listed, listed | self._latest, listed
        self.failure = None
        self._tried.set()
        if known != self._listed:
            before = known or frozenset()
            new, gone = sorted(self._listed - before), sorted(before - self._listed)
            log.info("the markets have changed", exchange=self.account.exchange, new=new[:20], gone=gone[:20])
        if known != self._listed or self.account.traded - self._listed:
            # The orders that were open in a market which is gone may be over.
            self._changed.set()


class Listings:
    """The listings of all accounts whose workplans have patterns."""

    def __init__(self, exchanges: SharedExchanges) -> None:
        self.changed = asyncio.Event()
        """Set when symbols are others than when they were last wanted."""
        self._exchanges = exchanges
        self._listings: dict[AccountKey, Listing] = {}

    @property
    def symbols(self) -> dict[AccountKey, frozenset[str]]:
        """Return the symbols of those exchanges that have answered."""
        return {key: one.symbols for key, one in self._listings.items() if one.symbols is not None}

    def failure(self, key: AccountKey) -> str:
        """Return why an account's symbols are not known."""
        listing = self._listings.get(key)
        return (listing and listing.failure) or "it has not answered yet"

    async def want(self, accounts: Iterable[Account]) -> None:
        """Follow these and no others; return when each was asked, but after `PATIENCE_S` at the latest."""
        wanted = {account.key: account for account in accounts}
        for key, listing in list(self._listings.items()):
            if key not in wanted or wanted[key].credentials != listing.account.credentials:
                await self._listings.pop(key).end()
            else:
                listing.account = wanted[key]
        for key in wanted.keys() - self._listings.keys():
            self._listings[key] = Listing(wanted[key], self._exchanges, self.changed)
        if waiting := [asyncio.ensure_future(listing.tried()) for listing in self._listings.values()]:
            try:
                await asyncio.wait(waiting, timeout=PATIENCE_S)
            finally:
                for each in waiting:
                    each.cancel()
        # What is known by now is asked for next.
        self.changed.clear()

    async def end(self) -> None:
        """End all."""
        await self.want(())
