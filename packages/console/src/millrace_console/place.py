"""Where one is: all of it stands in the page's address, so that every place can be linked and comes back by itself."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlencode

from nicegui import ui

SHARED = ("tenant",)
"""Parameters that go along from page to page."""


class Place:
    """The page's path and the parameters of its address; a change is shown in the address at once."""

    def __init__(self, path: str, query: Iterable[tuple[str, str]]) -> None:
        self.path = path
        self._values: dict[str, tuple[str, ...]] = {}
        for name, value in query:
            self._values[name] = (*self._values.get(name, ()), value)

    def copy(self) -> "Place":
        """Return the place as it is now, whatever the page changes later."""
        return Place(self.path, [(name, each) for name, several in self._values.items() for each in several])

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter's first value."""
        return self._values.get(name, (default,))[0]

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter."""
        return self._values.get(name, ())

    def set(self, **values: str | Sequence[str] | None) -> None:
        """Set parameters, in the browser's address too; None or nothing removes one."""
        self._change(values)
        ui.navigate.history.replace(self.address)

    def go(self, **values: str | Sequence[str] | None) -> None:
        """Load the page anew with changed parameters."""
        self._change(values)
        ui.navigate.to(self.address)

    def _change(self, values: Mapping[str, str | Sequence[str] | None]) -> None:
        for name, value in values.items():
            several = (value,) if isinstance(value, str) else tuple(value or ())
            self._values.pop(name, None)
            if any(several):
                self._values[name] = tuple(each for each in several if each)

    @property
    def address(self) -> str:
        """The path with all parameters."""
        return address(self.path, self._values)

    def here(self, **values: str | None) -> str:
        """Return this page's address with some parameters set to other values; None removes one."""
        kept = {name: each for name, each in self._values.items() if name not in values}
        return address(self.path, kept | {name: (value,) for name, value in values.items() if value})

    def to(self, path: str, **values: str) -> str:
        """Return the address of another page, which keeps the chosen tenants."""
        kept: dict[str, tuple[str, ...]] = {name: self._values[name] for name in SHARED if name in self._values}
        return address(path, kept | {name: (value,) for name, value in values.items() if value})


def address(path: str, values: Mapping[str, Sequence[str]]) -> str:
    """Return a path with parameters."""
    query = urlencode(
        [(name, each) for name, several in values.items() for each in several], quote_via=quote, safe="/:,"
    )
    return f"{path}?{query}" if query else path


def own(to: str) -> str:
    """Return an address within the console as it is; any other becomes the first page.

    Browsers read a backslash as a slash, and pass over tabs and line ends.
    """
    is_path = to.startswith("/") and not to.startswith("//")
    return to if is_path and to.isprintable() and "\\" not in to else "/"
