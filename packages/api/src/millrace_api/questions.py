"""Questions about what is stored: the short ones are answered here, all others by workers, beside this process.

Work on rows, or on large texts, in this process would delay the requests and live streams of all tenants.
"""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, Final, ParamSpec, TypeVar, cast

from starlette.responses import Response

from millrace_api.access.budget import asking
from millrace_api.problems import ApiError
from millrace_store import Page, Store
from millrace_store.workers.pool import WorkerPool
from millrace_store.workers.query import Export, Query, Work, encoded

P = ParamSpec("P")
T = TypeVar("T")

ROWS_HERE: Final = 200
"""Rows of a page that are read here: a millisecond of work."""
HERE_S: Final = 0.25
"""How long the database may look for them."""
TEXT_HERE: Final = 16_384
"""Bytes of a text that is read and checked here: some milliseconds of work."""
LONGEST_S: Final = 30.0
"""How long a worker may work on an answer."""
NOTHING: Final = b"null"


class Questions:
    """Answers questions as JSON."""

    def __init__(self, store: Store) -> None:
        self._store, self._pool = store, WorkerPool(store.url)

    async def page(self, query: Callable[P, Awaitable[Page[Any]]], *arguments: P.args, **named: P.kwargs) -> Response:
        """Answer with a page of rows, whose query does no more work than its `limit` of rows takes.

        Raises:
            ApiError: it takes too long.
        """
        limit = cast(int, named["limit"])
        with suppress(TimeoutError):
            async with asyncio.timeout(HERE_S):
                first: Any = named | {"limit": min(limit, ROWS_HERE)}
                found = await query(*arguments, **first)
            if limit <= ROWS_HERE or found.next_cursor is None:
                return json_of(encoded(found))
        return json_of(await self.answer(query, *arguments, **named))

    async def whole(self, query: Callable[P, Awaitable[Any]], *arguments: P.args, **named: P.kwargs) -> Response:
        """Answer with all that a query finds, however much work that is.

        Raises:
            ApiError: it takes too long.
        """
        return json_of(await self.answer(query, *arguments, **named))

    async def answer(self, query: Callable[P, Awaitable[Any]], *arguments: P.args, **named: P.kwargs) -> bytes:
        """Return what a worker found, as JSON; `NOTHING` for None.

        Raises:
            ApiError: it takes too long.
        """
        asked = Query.of(self._store, query, *arguments, **named)
        return await self._whole(asked, "choose a shorter time, fewer markets or fewer rows")

    async def about(self, text: bytes | str, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a pure function of a module makes of a text; a worker calls it if the text is long.

        Raises:
            ApiError: it takes too long.
        """
        return function(*arguments) if len(text) <= TEXT_HERE else await self.work(function, *arguments)

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a pure function of a module gives, called by a worker.

        Raises:
            ApiError: it takes too long.
        """
        found = await self._whole(Work(function, arguments), "send less")
        return cast(T, pickle.loads(found))  # noqa: S301 - our own worker's

    async def _whole(self, asked: Query | Work, remedy: str) -> bytes:
        try:
            async with asyncio.timeout(LONGEST_S), aclosing(self._pool.answer(asked, asking.get())) as pieces:
                return b"".join([piece async for piece in pieces])
        except TimeoutError as error:
            raise ApiError(422, f"the answer takes more than {LONGEST_S:g} s: {remedy}") from error

    def export(self, export: Export) -> AsyncGenerator[bytes, None]:
        """Return a file piece by piece, at the pace of its reader; closing the iterator ends the work."""
        return self._pool.answer(export, asking.get())

    async def close(self) -> None:
        """End the workers that wait."""
        await self._pool.close()


def json_of(text: bytes) -> Response:
    """Return an answer as a response."""
    return Response(text, media_type="application/json")
