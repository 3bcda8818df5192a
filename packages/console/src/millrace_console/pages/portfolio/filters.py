"""The choices at the top of the page. They stand in the address."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nicegui import ui

from millrace_console.pages.portfolio.choice import (
    DIMENSIONS,
    NOTHING,
    RANGES,
    Choice,
    chosen_sources,
    source_of,
)
from millrace_console.visit import Visit


class Filters:
    """Time, exchange, symbol, and checkboxes of strategies; `on_change` is called after each choice."""

    def __init__(self, visit: Visit, on_change: Callable[[], None]) -> None:
        self._place, self._on_change = visit.place, on_change
        self._offered: tuple[str, ...] = ()
        self._boxes: dict[str, ui.checkbox] = {}
        with ui.row().classes("items-center gap-2"):
            titles = {name: each.title for name, each in RANGES.items()}
            self._select("range", "Time", titles, next(n for n in RANGES if RANGES[n] == Choice.at(visit.place).span))
            self._markets = {
                name: self._select(name, title, {"": f"any {name}"}, visit.place.get(name))
                for name, title in (("exchange", "Exchange"), ("symbol", "Symbol"))
            }
        self._strategies = (
            ui.element("div").classes("flex items-center gap-x-3").props('role="group" aria-label="Strategies"')
        )

    def offer(self, positions: Iterable[Mapping[str, Any]]) -> None:
        """Offer what there are positions of."""
        rows = list(positions)
        for name, select in self._markets.items():
            found = {str(row[name]) for row in rows} | {str(select.value)} - {""}
            options = {"": f"any {name}"} | {each: each for each in sorted(found)}
            if options != select.options:
                select.set_options(options, value=select.value)
        offered = tuple(sorted({source_of(row) for row in rows} | set(self._place.all("source"))))
        if offered != self._offered:
            self._offered = offered
            self._check()

    def by(self) -> None:
        """Show what profit can be separated by."""
        chosen = set(Choice.at(self._place).by)

        def toggle(name: str, *, is_on: bool) -> None:
            chosen.add(name) if is_on else chosen.discard(name)
            self._place.set(by=[each for each in DIMENSIONS if each in chosen] or [NOTHING])
            self._on_change()

        with ui.element("div").classes("flex items-center gap-x-3").props('role="group" aria-label="Group by"'):
            ui.label("Group by").classes("muted")
            for name, title in DIMENSIONS.items():
                ui.checkbox(
                    title, value=name in chosen, on_change=lambda e, name=name: toggle(name, is_on=e.value)
                ).props("dense")

    def _select(self, name: str, label: str, options: dict[str, str], value: str) -> ui.select:
        known = options if value in options else options | {value: value}
        return (
            ui.select(known, value=value, label=label, on_change=lambda e: self._choose(name, e.value))
            .props("dense outlined options-dense")
            .classes("min-w-32")
        )

    def _choose(self, name: str, value: str) -> None:
        if value != self._place.get(name):
            self._place.set(**{name: value})
            self._on_change()

    def _check(self) -> None:
        """Show a checkbox for each strategy; all are checked while the address names none."""
        chosen = self._place.all("source")
        self._strategies.clear()
        with self._strategies:
            ui.label("Strategies").classes("muted")
            self._boxes = {
                each: ui.checkbox(each, value=not chosen or each in chosen, on_change=self._checked).props("dense")
                for each in self._offered
            }

    def _checked(self) -> None:
        checked = [name for name, box in self._boxes.items() if box.value]
        self._place.set(source=chosen_sources(checked, self._offered))
        if not checked:
            self._check()
        self._on_change()
