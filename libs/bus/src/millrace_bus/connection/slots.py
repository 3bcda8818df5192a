"""Groups keys by the slot of a Redis cluster, so that one command may name several of them. Pure.

A single server takes any keys in one command (`one_group`); a cluster takes those of one slot (`by_slot`). Code that
has several keys asks its connection, which knows which of the two holds.
"""

import binascii
from collections.abc import Callable, Iterable

Grouping = Callable[[Iterable[str]], list[list[str]]]
"""Splits keys into groups that one command may name; keeps their order within each group."""

_SLOTS = 16_384


def one_group(keys: Iterable[str]) -> list[list[str]]:
    """Return all keys as one group; no group if there are no keys."""
    return [group] if (group := list(keys)) else []


def by_slot(keys: Iterable[str]) -> list[list[str]]:
    """Return the keys, one group per slot."""
    groups: dict[int, list[str]] = {}
    for key in keys:
        groups.setdefault(slot_of(key), []).append(key)
    return list(groups.values())


def slot_of(key: str) -> int:
    """Return the slot of a key.

    Only the text in the first pair of braces counts, unless it is empty: Redis Cluster specification,
    "Hash tags".
    """
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    hashed = tag if opened and closed and tag else key
    return binascii.crc_hqx(hashed.encode(), 0) % _SLOTS
