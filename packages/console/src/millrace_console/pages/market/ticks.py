"""When markets are drawn: all at the same moments, so that a page with several of them receives one message."""

from collections.abc import Callable
from contextlib import ExitStack

from nicegui import app


class Ticks:
    """Calls all drawings again and again."""

    def __init__(self, every_s: float, ending: ExitStack) -> None:
        self._draws: set[Callable[[], None]] = set()
        ending.callback(app.timer(every_s, self._draw).cancel)

    def call(self, draw: Callable[[], None], ending: ExitStack) -> None:
        """Call a function at every tick until the end."""
        self._draws.add(draw)
        ending.callback(self._draws.discard, draw)

    def _draw(self) -> None:
        for draw in tuple(self._draws):
            try:
                draw()
            except Exception as error:  # noqa: BLE001  # one market's fault must not end the others, which may be another tenant's
                app.handle_exception(error)
