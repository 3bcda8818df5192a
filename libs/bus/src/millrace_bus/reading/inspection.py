"""One key as it is stored, for a person who looks for a fault: a few entries, newest first where there is an order."""

from typing import Any, Literal, NamedTuple

from millrace_bus.connection.calls import Call

LONGEST = 20_000
"""Bytes of a field, a member or a message that are shown."""
LONGEST_STRING = 1_000_000
"""Bytes of a string that are read: a configuration or a heartbeat is read whole."""
StoredKind = Literal["string", "hash", "set", "zset", "stream"]


class StoredEntry(NamedTuple):
    """A field, a member or a message; a string has one, without a name."""

    name: str
    text: str
    """Cut off after `LONGEST` bytes, of a string after `LONGEST_STRING`."""


class StoredValue(NamedTuple):
    """What a key holds."""

    kind: StoredKind
    size: int
    """Entries; of a string its bytes."""
    expires_ms: int | None
    """How long it is still kept; None for ever."""
    entries: list[StoredEntry]


async def inspect(call: Call, key: str, limit: int) -> StoredValue | None:
    """Return a key's type, size and at most `limit` of its entries; None if there is no such key.

    Raises:
        CommandRefused: Redis answered with an error.
    """
    kind = (await call("TYPE", key)).decode()
    if kind not in _READERS:
        return None
    expires_ms = int(await call("PTTL", key))
    size, entries = await _READERS[kind](call, key, limit)
    return StoredValue(kind, size, expires_ms if expires_ms >= 0 else None, entries[:limit])


async def _string(call: Call, key: str, limit: int) -> tuple[int, list[StoredEntry]]:
    text = await call("GETRANGE", key, 0, LONGEST_STRING - 1)
    return int(await call("STRLEN", key)), [StoredEntry("", text.decode(errors="replace"))][:limit]


async def _hash(call: Call, key: str, limit: int) -> tuple[int, list[StoredEntry]]:
    _, found = await call("HSCAN", key, 0, "COUNT", limit)
    return int(await call("HLEN", key)), [StoredEntry(_text(name), _text(value)) for name, value in found.items()]


async def _set(call: Call, key: str, limit: int) -> tuple[int, list[StoredEntry]]:
    _, found = await call("SSCAN", key, 0, "COUNT", limit)
    return int(await call("SCARD", key)), [StoredEntry(_text(member), "") for member in sorted(found)]


async def _sorted_set(call: Call, key: str, limit: int) -> tuple[int, list[StoredEntry]]:
    found = await call("ZREVRANGE", key, 0, limit - 1, "WITHSCORES")
    return int(await call("ZCARD", key)), [StoredEntry(_text(member), f"{score:.15g}") for member, score in found]


async def _stream(call: Call, key: str, limit: int) -> tuple[int, list[StoredEntry]]:
    found = await call("XREVRANGE", key, "+", "-", "COUNT", limit)
    entries = [StoredEntry(_text(place), _message(fields)) for place, fields in found]
    return int(await call("XLEN", key)), entries


def _message(fields: dict[bytes, bytes]) -> str:
    """Return the fields of a journal's entry in a line; the one field of most has no name of interest."""
    if len(fields) == 1:
        return _text(next(iter(fields.values())))
    return "  ".join(f"{_text(name)}={_text(value)}" for name, value in fields.items())


def _text(value: bytes) -> str:
    return value[:LONGEST].decode(errors="replace")


_READERS: dict[str, Any] = {"string": _string, "hash": _hash, "set": _set, "zset": _sorted_set, "stream": _stream}
