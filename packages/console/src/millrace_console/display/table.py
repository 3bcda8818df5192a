"""Tables of data: plain HTML, since a browser draws it fastest and a screen reader reads it as a table."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from nicegui import ui

from millrace_console.display.text import html

Kind = Literal["text", "number"]


class Column(NamedTuple):
    """A column's title and how its cells stand."""

    title: str
    kind: Kind = "text"


class Cell(NamedTuple):
    """A cell: its text, and what else shows it."""

    text: str
    style: str = ""
    """CSS classes, such as `up` or `bad`."""
    link: str = ""
    """An address within the console."""
    hint: str = ""
    """Shown when the pointer rests on it."""
    action: str = ""
    """Makes it a button; `Table.on_action` is called with this text."""


Row = Sequence[Cell | str]


def table_html(caption: str, columns: Sequence[Column], rows: Iterable[Row], empty: str) -> str:
    """Return the table as HTML; `empty` stands where there are no rows."""
    body = "".join(f"<tr>{''.join(_cell(c, k) for c, k in zip(row, columns, strict=True))}</tr>" for row in rows)
    if not body:
        return f'<p class="muted">{html(empty)}</p>'
    heads = "".join(f'<th scope="col" class="{each.kind}">{html(each.title)}</th>' for each in columns)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html(caption)}"><table class="data">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell | str, column: Column) -> str:
    given = Cell(cell) if isinstance(cell, str) else cell
    text = html(given.text)
    inner = f'<a href="{html(given.link)}">{text}</a>' if given.link else text
    if given.action:
        inner = (
            f'<button type="button" data-action="{html(given.action)}" aria-label="{html(given.hint)}">{text}</button>'
        )
    title = f' title="{html(given.hint)}"' if given.hint else ""
    return f'<td class="{column.kind} {html(given.style)}"{title}>{inner}</td>'


class Table:
    """A table in the page, drawn again only when it has changed."""

    def __init__(self, caption: str, columns: Sequence[Column], empty: str) -> None:
        self.caption, self._columns, self._empty = caption, columns, empty
        self._html = ui.html("", sanitize=False).classes("w-full")

    def on_action(self, act: Callable[[str], Awaitable[None] | None]) -> None:
        """Call `act` with the text of each button that is pressed."""
        self._html.on(
            "click",
            lambda event: act(str(event.args)),
            js_handler="(e) => { const b = e.target.closest('[data-action]'); if (b) emit(b.dataset.action); }",
        )

    def html(self, rows: Iterable[Row]) -> str:
        """Return what the table is with these rows."""
        return table_html(self.caption, self._columns, rows, self._empty)

    def put(self, content: str) -> None:
        """Show what `html` returned."""
        self._html.content = content

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows."""
        self.put(self.html(rows))
