"""When markets are drawn: all at the same moments, so that a page with several of them receives one message."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from nicegui import app


class Ticks:
    """Calls all drawings again and again; a tick that was late does not delay those after it."""

    def __init__(self, every_s: float, ending: ExitStack) -> None:
        self._draws: set[Callable[[], None]] = set()
        running = asyncio.create_task(self._run(every_s), name=f"draw markets every {every_s} s")
        ending.callback(running.cancel)

    def call(self, draw: Callable[[], None], ending: ExitStack) -> None:
        """Call a function at every tick until the end."""
        self._draws.add(draw)
        ending.callback(self._draws.discard, draw)

    async def _run(self, every_s: float) -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            self._draw()
            due_s = max(due_s + every_s, clock())
            await asyncio.sleep(due_s - clock())

    def _draw(self) -> None:
        for draw in tuple(self._draws):
            try:
                draw()
            except Exception as error:  # noqa: BLE001  # one market's fault must not end the others, which may be another tenant's
                app.handle_exception(error)
