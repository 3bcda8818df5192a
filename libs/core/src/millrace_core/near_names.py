"""Names that exist and are near one that does not, for errors that say what was probably meant. Pure."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from millrace_core.names import StreamName

MOST = 3
"""How many names are suggested at most."""
_NEAR = 0.7
"""How alike exchange and symbol must be, on average."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` with the known names that are near, or nothing."""
    return question(near_names(name, known))


def question(names: Iterable[str]) -> str:
    """Return `; did you mean …?` with these names, or nothing if there are none."""
    listed = " or ".join(names)
    return f"; did you mean {listed}?" if listed else ""


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are near, the nearest first, whatever the case of their letters."""
    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in get_close_matches(name.lower(), by_lower, MOST)]


def near_streams(wanted: StreamName, existing: Iterable[StreamName]) -> list[StreamName]:
    """Return the existing streams of the same kind of data that are near, the nearest first, of any tenant."""
    alike = {name: _likeness(wanted, name) for name in existing if name.action == wanted.action and name != wanted}
    near = [name for name, likeness in alike.items() if likeness >= _NEAR]
    return sorted(near, key=lambda name: (-alike[name], str(name)))[:MOST]


def _likeness(one: StreamName, other: StreamName) -> float:
    return (_ratio(one.exchange, other.exchange) + _ratio(one.symbol or "", other.symbol or "")) / 2


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()
