"""Patterns of symbols in a configuration, such as `*/USDT`, and the symbols that match. Pure."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from millrace_core.names import Symbol
from millrace_core.near_names import did_you_mean

ANY: Final = "*"


def is_pattern(symbol: str) -> bool:
    """Tell whether this stands for all symbols that match, `*` for any part of one."""
    return ANY in symbol


def matching(pattern: str, symbols: Iterable[str]) -> list[Symbol]:
    """Return the symbols that match, in order. `*` stands for no colon: without one, a pattern means spot markets."""
    expression = _expression(pattern)
    return sorted(Symbol(symbol) for symbol in symbols if expression.fullmatch(symbol))


def near_patterns(pattern: str, symbols: Iterable[str]) -> str:
    """Return `; did you mean …?` with patterns that match something, for one that does not, or nothing."""
    return did_you_mean(pattern, sorted(set(_patterns_of(symbols))))


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("[^:]*".join(map(re.escape, pattern.split(ANY))))


def _patterns_of(symbols: Iterable[str]) -> Iterator[str]:
    """Yield the patterns of one base and of one quote currency."""
    for symbol in symbols:
        pair, colon, settled = symbol.partition(":")
        base, _, quote = pair.partition("/")
        yield f"{base}/{ANY}{colon and ':*'}"
        yield f"{ANY}/{quote}{colon}{settled.partition('-')[0]}"
