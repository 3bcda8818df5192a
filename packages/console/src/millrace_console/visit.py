"""One page in one browser: who looks, at which place, and what the page asks and follows."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import Api, Source
from millrace_console.live import Connections, Stream
from millrace_console.place import Place
from millrace_console.polling import Polls
from millrace_console.sharing import Shares
from millrace_core.names import PUBLIC, StreamName

T = TypeVar("T")


class Backend:
    """What all pages have in common: the API, shared questions and streams, and what they draw together."""

    def __init__(self, api_url: str) -> None:
        self.api = Api(api_url)
        self.polls = Polls(self.api)
        self.connections = Connections(api_url)
        self.shares = Shares()

    async def close(self) -> None:
        """Close what is open."""
        await self.connections.close()
        await self.api.close()


class Visit:
    """What a page works with. All that it follows ends with the page."""

    def __init__(self, backend: Backend, accounts: Sequence[Account], place: Place) -> None:
        self.api, self.polls, self.connections = backend.api, backend.polls, backend.connections
        self.place = place
        self.all_accounts = tuple(accounts)
        """Every account that this browser is signed in with."""
        self._shares = backend.shares
        self._ending = ExitStack()
        ui.context.client.on_delete(self._ending.close)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts whose tenants are chosen; all, when none is."""
        chosen = self.place.all("tenant")
        return tuple(each for each in self.all_accounts if each.tenant in chosen) or self.all_accounts

    def account(self, tenant: str) -> Account:
        """Return the account of a tenant; for PUBLIC, whichever there is, since all may read it."""
        return next((each for each in self.all_accounts if each.tenant == tenant), self.all_accounts[0])

    def follow(self, name: StreamName) -> Stream:
        """Return a stream that is followed while the page is open."""
        account = self.account(name.tenant)
        return self._ending.enter_context(self.connections.of(account).watching(name))

    def share(self, key: Hashable, make: Callable[[ExitStack], T]) -> T:
        """Return what all pages with this key use while they are open; see `Shares.using`."""
        return self._ending.enter_context(self._shares.using(key, make))

    def listen(self, listeners: set[Callable[[T], None]], listener: Callable[[T], None]) -> None:
        """Add a listener while the page is open."""
        listeners.add(listener)
        self._ending.callback(listeners.discard, listener)

    async def each(self, source: Source, path: str, **query: Any) -> list[tuple[Account, Any]]:
        """Ask for every chosen tenant, and return the answers in the accounts' order.

        Raises:
            ApiError: one of them was not answered.
        """
        accounts = self.accounts
        answers = await asyncio.gather(*(source.get(account, path, **query) for account in accounts))
        return list(zip(accounts, answers, strict=True))

    async def rows(self, source: Source, path: str, **query: Any) -> list[Any]:
        """Return the rows of every chosen tenant and of PUBLIC's feeds, which all may read.

        Raises:
            ApiError: one of them was not answered.
        """
        asked = [(account, account.tenant) for account in self.accounts]
        if all(tenant != PUBLIC for _, tenant in asked):
            asked.append((self.accounts[0], PUBLIC))
        answers = await asyncio.gather(
            *(source.get(account, path, tenant=tenant, **query) for account, tenant in asked)
        )
        return [row for answer in answers for row in answer["items"]]

    @property
    def trading_accounts(self) -> tuple[Account, ...]:
        """The chosen accounts of tenants that trade; the operator's PUBLIC only holds feeds."""
        return tuple(each for each in self.accounts if each.tenant != PUBLIC) or self.accounts
