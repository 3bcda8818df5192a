"""A page that needs an answer before it can be built asks until it has one, and says meanwhile why it waits."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nicegui import ui

from millrace_console.api import ApiError
from millrace_console.ended import leave_if_ended

AGAIN_S = 1.0
T = TypeVar("T")


def when_loaded(ask: Callable[[], Awaitable[T]], build: Callable[[T], None]) -> None:
    """Build a part of the page with the answer to a question, as soon as the API gives it."""
    place = ui.element("div").classes("w-full flex flex-col gap-3")
    with place:
        waiting = ui.label("Loading …").classes("muted").props('role="status"')

    async def load() -> None:
        try:
            answer = await ask()
        except ApiError as error:
            waiting.text = f"Not loaded yet, trying again: {error}"
            leave_if_ended(error)
            return
        timer.cancel(with_current_invocation=False)
        place.clear()
        with place:
            build(answer)

    timer = ui.timer(AGAIN_S, load)
