"""Parts of pages that ask the API again and again."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from nicegui import background_tasks, ui

from millrace_console.api import ApiError
from millrace_console.display.table import Row, Table
from millrace_console.ended import leave_if_ended
from millrace_console.polling import Poll
from millrace_console.visit import Visit

_LATER_S = 0.005
T = TypeVar("T")


class Refreshing:
    """Calls a function with the present poll while the page is open: at once, and as soon as each poll has ended."""

    def __init__(self, visit: Visit, every_s: float, refresh: Callable[[Poll], Awaitable[None]]) -> None:
        self._visit, self._every_s, self._refresh = visit, every_s, refresh
        self._timer = ui.timer(every_s, self._next)

    async def _next(self) -> None:
        poll = self._visit.polls.present(self._every_s)
        # A little later than its end, since a timer may wake up a little too early.
        self._timer.interval = poll.left_s + _LATER_S
        await self._refresh(poll)

    async def anew(self) -> None:
        """Refresh with answers that are asked for from now on, such as after a change."""
        poll = self._visit.polls.present(self._every_s)
        poll.forget()
        await self._refresh(poll)


class Panel:
    """A part of a page that asks the API again and again, and never shows an old answer as a new one.

    What `ask` returns of a panel with a name depends on the page's accounts and address alone: pages that have both in
    common work it out once.
    """

    def __init__(
        self,
        visit: Visit,
        ask: Callable[[Poll], Coroutine[Any, Any, T]],
        show: Callable[[T], None],
        every_s: float = 2.0,
        *,
        name: str = "",
    ) -> None:
        self._visit, self._ask, self._show, self._name = visit, ask, show, name
        self._is_asking = False
        with ui.element("div").classes("w-full"):
            self._trouble = ui.label().classes("bad").props('role="status"')
            self._trouble.visible = False
            self._content = ui.element("div").classes("w-full")
        self._refreshing = Refreshing(visit, every_s, self._refresh)

    async def _refresh(self, poll: Poll) -> None:
        """Ask, and show the answer; a question that is still under way is not asked twice."""
        if self._is_asking:
            return
        self._is_asking = True
        try:
            answer = await self._answer(poll)
        except ApiError as error:
            self._trouble.text = f"Not up to date: {error}"
            self._trouble.visible = True
            self._content.classes(add="old")
            with self._content:
                leave_if_ended(error)
        else:
            self._trouble.visible = False
            self._content.classes(remove="old")
            with self._content:
                self._show(answer)
        finally:
            self._is_asking = False

    async def _answer(self, poll: Poll) -> Any:
        if not self._name:
            return await self._ask(poll)
        visit = self._visit
        return await poll.once((self._name, visit.all_accounts, visit.place.address), lambda: self._ask(poll))

    def soon(self) -> None:
        """Ask as soon as possible, such as after a change."""
        background_tasks.create(self._refreshing.anew(), name="refresh a panel")


def table_panel(
    visit: Visit, table: Table, ask: Callable[[Poll], Awaitable[Iterable[Row]]], every_s: float = 2.0
) -> Panel:
    """Return a panel that fills a table with rows that depend on the page's accounts and address alone."""

    async def content(poll: Poll) -> str:
        return table.html(await ask(poll))

    return Panel(visit, content, table.put, every_s, name=table.caption)
