"""Alerts on a real Valkey, with a real HTTP server that receives them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from millrace_alerts import AlertsAgent, receiver, watch
from millrace_bus import Bus, EmbeddedServer
from millrace_core.backoff import BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import AgentId
from millrace_service import Settings, run_agent
from millrace_service.encryption import new_key, parse_key

ID = AgentId("ALERTS")
PATIENCE_S = 20
KEY = parse_key(new_key())
PATH = "hook-0123456789-very-secret"
"""The part of the receiver's address that nobody may see."""


@dataclass
class Inbox:
    """The receiver: what it got, and with which status it answers."""

    status: int = 200
    port: int = 0
    attempts: int = 0
    pace_s: float = 0.0
    """How long it takes for an answer: messengers take few messages a second."""
    got: list[dict[str, Any]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the beginning; while it is not, senders wait for the answer to what the receiver has got."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def address(self) -> str:
        """Return its address, as Apprise takes it."""
        return f"json://127.0.0.1:{self.port}/{PATH}"

    @property
    def text(self) -> str:
        """Return the titles and bodies of all messages."""
        return "\n".join(f"{each['title']}\n{each['message']}" for each in self.got)

    async def take(self, request: web.Request) -> web.Response:
        """Take a message, or refuse it."""
        async with self._news:
            self.attempts += 1
            if self.status == 200:
                self.got.append(await request.json())
            self._news.notify_all()
        await self.may_answer.wait()
        await asyncio.sleep(self.pace_s)
        return web.Response(status=self.status)

    async def until(self, condition: Callable[["Inbox"], bool]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: condition(self))

    async def message(self, number: int) -> str:
        """Wait for a message, the first being 0, and return its title and body."""
        await self.until(lambda inbox: len(inbox.got) > number)
        return f"{self.got[number]['title']}\n{self.got[number]['message']}"


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A receiver on a port of its own."""
    inbox = Inbox()
    inbox.may_answer.set()
    app = web.Application()
    app.router.add_post(f"/{PATH}", inbox.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    inbox.port = runner.addresses[0][1]
    yield inbox
    await runner.cleanup()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.05)
    monkeypatch.setattr(receiver, "RETRIES", BackoffPolicy(first_s=0.05, limit_s=0.1))


def config(inbox: Inbox, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a configuration that tells the inbox everything soon."""
    quick = {"notify": ["ops"], "quietSeconds": 0.1, "threshold": 0}
    return {
        "agent": {"id": ID},
        "environment": "test",
        "gatherSeconds": 0.1,
        "receivers": {"PUBLIC": {"ops": inbox.address}},
        "rules": [quick | rule for rule in rules],
        **more,
    }


@asynccontextmanager
async def running(bus: Bus, server: EmbeddedServer, document: dict[str, Any], url: str = "") -> AsyncIterator[None]:
    """Run alerts with a configuration."""
    await bus.put_config(ID, json.dumps(document))
    stop = asyncio.Event()
    settings = Settings(agent_id=ID, redis_url=server.url, secret_key=KEY)
    task = asyncio.create_task(run_agent(AlertsAgent(url or "sqlite:///nowhere.db"), settings, stop=stop))
    try:
        await shows(bus, lambda beat: any(unit.name == "rules" and unit.state == "live" for unit in beat.units))
        yield
    finally:
        stop.set()
        await task


async def shows(bus: Bus, condition: Callable[[Heartbeat], Any]) -> Heartbeat:
    """Wait until the heartbeat of alerts meets a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for beat in await bus.heartbeats():
                if beat.id == ID and condition(beat):
                    return beat
            await asyncio.sleep(0.02)  # a heartbeat is a key that tells nobody of its change


async def beats(bus: Bus, *units: UnitHealth, kind: str = "gatherer") -> None:
    """Leave the heartbeat of another agent."""
    beat = Heartbeat(
        id=kind.upper(), kind=kind, state="running", pid=1, started_at=1, sent_at=now_ms(), version="1", units=[*units]
    )
    await bus.heartbeat(beat)
