"""What a Redis server says of itself: its version, its memory, how it persists, and the settings that matter here."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from millrace_bus.agents.notifications import SETTING as NOTIFICATIONS
from millrace_bus.connection.calls import Call
from millrace_bus.errors import CommandRefused

_SETTINGS: Final = ("appendonly", "appendfsync", "maxmemory-policy", NOTIFICATIONS)


class ServerState(NamedTuple):
    """A server at one moment."""

    product: str
    """`valkey` or `redis`."""
    version: str
    role: str
    """`master` or `slave`."""
    clock_ms: int
    """Its wall clock."""
    used_memory: int
    """Bytes."""
    max_memory: int
    """Bytes; 0 for no limit."""
    last_write_failed: bool
    """Whether it could not persist what it was last asked to."""
    settings: Mapping[str, str] | None
    """Its settings by name; None if they may not be read."""


async def read_server_state(call: Call) -> ServerState:
    """Ask a server for its state.

    Raises:
        CommandRefused: `INFO` or `TIME` is not allowed.
    """
    info = _fields(await call("INFO"))
    seconds, micros = await call("TIME")
    return ServerState(
        product="valkey" if "valkey_version" in info else "redis",
        version=info.get("valkey_version") or info.get("redis_version", "unknown"),
        role=info.get("role", "master"),
        clock_ms=int(seconds) * 1_000 + int(micros) // 1_000,
        used_memory=int(info.get("used_memory", 0)),
        max_memory=int(info.get("maxmemory", 0)),
        last_write_failed="err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")),
        settings=await _settings(call),
    )


async def _settings(call: Call) -> dict[str, str] | None:
    found: dict[str, str] = {}
    try:
        for name in _SETTINGS:
            found.update(_fields(await call("CONFIG", "GET", name)))
    except CommandRefused:
        return None
    return found


def _fields(reply: Any) -> dict[str, str]:
    """Return a reply's fields, whichever of its forms redis-py hands over."""
    if isinstance(reply, bytes | str):
        lines = (line.partition(":") for line in _text(reply).splitlines() if not line.startswith("#"))
        return {name: value for name, _, value in lines if name}
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
