"""What people and other programs do to the platform while it trades."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError
from tests.faults.plan import TENANT, Event, Part, faults_of

from millrace_bus.requests.sender import GROUP
from millrace_core.names import trader_actions
from millrace_simulator.faults import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.faults.processes import Platform

_HALTING = '{"action":"%s","validFor":60000,"payload":{"by":"campaign"}}'
_HALTING_ONE = '{"action":"%s","exchangeId":"%s","validFor":60000,"payload":{"by":"campaign"}}'


async def interfere(platform: Platform, event: Event) -> None:
    """Do one thing, and undo it."""
    match event.part:
        case Part.REMOVE:
            with suppress(RedisError, OSError):
                await platform.configure(with_account=False)
            await asyncio.sleep(event.for_s)
            await platform.configure()
        case Part.LOCKED:
            await _lock_database(platform, event.for_s)
        case Part.ALTERNATE:
            await _alternate(platform, event.for_s)
        case Part.REVOKE:
            platform.exchange.faults.set(FaultRule(kinds=(FaultKind.REVOKED,), seed=platform.plan.seed))
            await asyncio.sleep(event.for_s)
            platform.exchange.faults.set(faults_of(platform.plan))
            await _ask(platform, _HALTING_ONE % ("resume", platform.exchange_id))
        case _:
            async with platform.redis_fails:
                await _interfere_with_redis(platform, event)


async def _interfere_with_redis(platform: Platform, event: Event) -> None:
    client: Any = platform.client
    match event.part:
        case Part.READ_ONLY:
            # A replica of nobody: it keeps what it has.
            await client.replicaof("127.0.0.1", 1)
            await asyncio.sleep(event.for_s)
            await client.replicaof("NO", "ONE")
        case Part.PAUSE:
            os.kill(platform.redis.pid, signal.SIGSTOP)
            await asyncio.sleep(event.for_s)
            os.kill(platform.redis.pid, signal.SIGCONT)
        case Part.CUT_OFF:
            for _ in range(3):
                for kind in ("normal", "pubsub"):
                    await client.execute_command("CLIENT", "KILL", "TYPE", kind)
                await asyncio.sleep(event.for_s / 3)
        case Part.NO_GROUP:
            with suppress(ResponseError):
                await client.xgroup_destroy(trader_actions(TENANT), GROUP)


async def _alternate(platform: Platform, for_s: float) -> None:
    """Halt and resume everything, and resume it in the end."""
    ends_s = monotonic() + for_s
    while monotonic() < ends_s:
        await _ask(platform, _HALTING % "halt")
        await _ask(platform, _HALTING % "resume")
        await asyncio.sleep(0.1)


async def _ask(platform: Platform, text: str) -> None:
    with suppress(RedisError, OSError):
        await platform.client.xadd(trader_actions(TENANT), {"data": text})


async def _lock_database(platform: Platform, for_s: float) -> None:
    database = sqlite3.connect(platform.database, check_same_thread=False, isolation_level=None)
    with closing(database), suppress(sqlite3.OperationalError):
        await asyncio.to_thread(database.execute, "BEGIN EXCLUSIVE")
        await asyncio.sleep(for_s)
