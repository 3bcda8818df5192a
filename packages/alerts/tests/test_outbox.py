"""Messages that wait."""

import asyncio
from copy import copy

import pytest

from millrace_alerts import outbox
from millrace_alerts.memory import AlertMessage, SavedMemory
from millrace_alerts.outbox import Outbox
from millrace_alerts.receiver import fitting, together
from millrace_bus import Bus
from millrace_core.names import AgentId

ID = AgentId("ALERTS")
MESSAGES = [AlertMessage(f"title {n}", f"body {n}", n) for n in range(5)]


async def test_only_what_was_taken_is_removed(bus: Bus) -> None:
    """What arrives while a message is on its way stays, and another process finds it."""
    saved = SavedMemory(bus)
    await saved.load(ID)
    box = Outbox(saved)
    box.put("PUBLIC.ops", MESSAGES[0])
    on_the_way = await box.waiting("PUBLIC.ops")
    box.put("PUBLIC.ops", copy(MESSAGES[0]))
    await box.taken("PUBLIC.ops", on_the_way)
    assert await box.waiting("PUBLIC.ops") == [MESSAGES[0]]
    other = SavedMemory(bus)
    await other.load(ID)
    assert other.memory.outbox == {"PUBLIC.ops": [MESSAGES[0]]}


async def test_a_receiver_waits_for_its_own_messages(bus: Bus) -> None:
    """A message to another one is none of its."""
    saved = SavedMemory(bus)
    box = Outbox(saved)
    waiting = asyncio.create_task(box.waiting("PUBLIC.ops"))
    await saved.load(ID)
    box.put("PUBLIC.other", MESSAGES[0])
    box.put("PUBLIC.ops", MESSAGES[1])
    async with asyncio.timeout(5):
        assert await waiting == [MESSAGES[1]]


async def test_what_is_given_up_is_counted(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without end nothing is kept: the oldest go, and the caller is told how many."""
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    saved = SavedMemory(bus)
    await saved.load(ID)
    box = Outbox(saved)
    assert [box.put("PUBLIC.ops", message) for message in MESSAGES] == [0, 0, 0, 1, 1]
    assert await box.waiting("PUBLIC.ops") == MESSAGES[2:]
    assert box.forget_all_but(["PUBLIC.other"]) == ["PUBLIC.ops"]
    assert box.count() == 0


def test_what_is_sent_at_once_is_bounded() -> None:
    """Bodies that do not fit are left out, their titles are not; messages whose titles do not fit go next."""
    storm = [AlertMessage(f"rule {n}: 1 new", "x" * 600, n) for n in range(300)]
    sent = fitting(storm)
    assert 10 < len(sent) < 300
    title, body = together(sent)
    assert title == f"rule 0: 1 new (and {len(sent) - 1} more)"
    assert all(each.title in body for each in sent)
    assert "x" * 600 in body
    assert len(body) < 4_096
    assert len(together([AlertMessage("long", "x" * 9_000, 0)])[1]) < 4_096


def test_messages_that_waited_are_one() -> None:
    """It says everything that each of them does."""
    assert together(MESSAGES[:1]) == ("title 0", "body 0")
    assert together(MESSAGES[:3]) == ("title 0 (and 2 more)", "title 0\nbody 0\n\ntitle 1\nbody 1\n\ntitle 2\nbody 2")
