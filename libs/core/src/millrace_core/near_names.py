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
    same_kind = [name for name in existing if name.action == wanted.action and name != wanted]
    exchanges = {exchange: _ratio(wanted.exchange, exchange) for exchange in {name.exchange for name in same_kind}}
    bounds = SequenceMatcher(b=(wanted.symbol or "").lower())
    alike = {name: _likeness(exchanges[name.exchange], bounds, wanted, name) for name in same_kind}
    near = [name for name, likeness in alike.items() if likeness >= _NEAR]
    return sorted(near, key=lambda name: (-alike[name], str(name)))[:MOST]


def _likeness(exchange: float, bounds: SequenceMatcher[str], wanted: StreamName, other: StreamName) -> float:
    """Return how alike exchange and symbol are, on average; 0 if upper bounds show that they are not near."""
    bounds.set_seq1((other.symbol or "").lower())
    # An exchange has thousands of symbols, of which hardly one is near.
    if any((exchange + bound()) / 2 < _NEAR for bound in (bounds.real_quick_ratio, bounds.quick_ratio)):
        return 0.0
    return (exchange + _ratio(wanted.symbol or "", other.symbol or "")) / 2


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()
