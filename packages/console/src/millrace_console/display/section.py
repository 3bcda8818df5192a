"""The parts of a page: each a region with a heading."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from millrace_console.display.text import html


@contextmanager
def section(title: str) -> Iterator[None]:
    """Build a part of the page under a heading."""
    with ui.element("section").classes("panel"):
        ui.html(html(title), sanitize=False, tag="h2")
        yield
