"""What is right and wrong with a Redis server. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from millrace_bus.agents.notifications import SETTING as NOTIFICATIONS
from millrace_bus.agents.notifications import missing_flags
from millrace_bus.server.state import ServerState
from millrace_cli.doctor.finding import Finding, fail, ok, warn

_OLDEST: Final = {"valkey": 8, "redis": 7}
_CLI: Final = 'redis-cli -u "$MILLRACE_REDIS_URL"'
_FULL_WARN, _FULL_FAIL = 0.8, 0.95
_CLOCK_MS: Final = 1_000
"""Traces and the validity of requests compare the clocks of machines; a larger difference makes them wrong."""


def redis_findings(state: ServerState, at_ms: int) -> Iterator[Finding]:
    """Yield what was found; `at_ms` is our clock when the server told its own."""
    yield _version(state)
    if state.role != "master":
        yield fail("redis role", "it is a replica, which takes no writes", "set MILLRACE_REDIS_URL to its primary")
    yield _memory(state)
    yield _clock(state.clock_ms - at_ms)
    if state.last_write_failed:
        yield fail("redis disk", "the last write to its disk failed", f"free disk space, then: {_CLI} bgrewriteaof")
    if state.settings is None:
        yield warn(
            "redis settings", "they may not be read by this user", f"{_CLI} config get '*', as a user who may CONFIG"
        )
    else:
        yield from _settings(dict(state.settings))


def _version(state: ServerState) -> Finding:
    oldest = _OLDEST[state.product]
    major = re.match(r"\d+", state.version)
    name = f"{state.product} {state.version}"
    if major is None or int(major[0]) < oldest:
        return fail("redis version", f"{name} is too old", f"upgrade to {state.product} {oldest} or later")
    return ok("redis version", name)


def _memory(state: ServerState) -> Finding:
    used = f"{state.used_memory / 1e6:,.0f} MB used"
    if not state.max_memory:
        return ok("redis memory", f"{used}, no limit")
    share = state.used_memory / state.max_memory
    text = f"{used}, {share:.0%} of {state.max_memory / 1e6:,.0f} MB"
    mend = f"{_CLI} config set maxmemory {2 * state.max_memory}, or smaller `retention` in the gatherers' workplans"
    if share >= _FULL_FAIL:
        return fail("redis memory", f"{text}; once it is full nothing is written", mend)
    return warn("redis memory", text, mend) if share >= _FULL_WARN else ok("redis memory", text)


def _clock(offset_ms: int) -> Finding:
    if abs(offset_ms) > _CLOCK_MS:
        return warn("redis clock", f"its clock differs from ours by {offset_ms:+,} ms", "timedatectl set-ntp true")
    return ok("redis clock", "agrees with ours")


def _settings(settings: dict[str, str]) -> Iterator[Finding]:
    if settings.get("appendonly") == "yes":
        yield ok("redis appendonly", f"yes, fsync {settings.get('appendfsync', 'unknown')}")
    else:
        yield warn(
            "redis appendonly",
            "a crash loses everything since the last snapshot: orders, halts, configurations",
            f"{_CLI} config set appendonly yes && {_CLI} config rewrite",
        )
    policy = settings.get("maxmemory-policy", "unknown")
    if policy == "noeviction":
        yield ok("redis eviction", policy)
    else:
        yield fail(
            "redis eviction",
            f"{policy}: when memory is short, journals, halts and configurations are deleted",
            f"{_CLI} config set maxmemory-policy noeviction && {_CLI} config rewrite",
        )
    present = settings.get(NOTIFICATIONS, "")
    if missing := missing_flags(present):
        yield warn(
            "redis notifications",
            f"lack {missing}: changed configurations are noticed up to 5 s late",
            f"{_CLI} config set {NOTIFICATIONS} {present}{missing}",
        )
    else:
        yield ok("redis notifications", present)
