"""What a worker is asked, and its answer as bytes."""

import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, ParamSpec

from millrace_core.json_text import json_text
from millrace_store.exports.export import Format
from millrace_store.exports.histories import ExportKind
from millrace_store.queries.pages import Page, Scope
from millrace_store.store import Store

P = ParamSpec("P")


class Query(NamedTuple):
    """A call of one of the store's queries."""

    name: str
    """Of the query, such as `market.trades`."""
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    @classmethod
    def of(cls, store: Store, query: Callable[P, Awaitable[Any]], *arguments: P.args, **named: P.kwargs) -> "Query":
        """Return the call of a query, a method of one of the parts of a store."""
        queries, method = query.__self__, query.__name__  # type: ignore[attr-defined]
        (part,) = (name for name, each in vars(store).items() if each is queries)
        return cls(f"{part}.{method}", arguments, named)

    async def answer(self, store: Store) -> AsyncIterator[bytes]:
        """Return the answer as JSON, in one piece."""
        yield encoded(await attrgetter(self.name)(store)(*self.arguments, **self.named))


class Export(NamedTuple):
    """A history to write as a file."""

    kind: ExportKind
    scope: Scope
    form: Format

    def answer(self, store: Store) -> AsyncIterator[bytes]:
        """Return the file piece by piece."""
        return store.exports.stream(self.kind, self.scope, self.form)


class Work(NamedTuple):
    """A call of a pure function of a module, which needs no database."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def result(self) -> bytes:
        """Return what the function returns, pickled."""
        return pickle.dumps(self.function(*self.arguments))


def encoded(answer: object) -> bytes:
    """Return what a query found as JSON: an object that holds the `items` of a page or list, else the record itself."""
    if isinstance(answer, Page):
        return json_text({"items": answer.rows, "next_cursor": answer.next_cursor})
    return json_text({"items": answer} if isinstance(answer, list) else answer)
