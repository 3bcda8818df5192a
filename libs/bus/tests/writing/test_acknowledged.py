"""Counting acknowledgements."""

import asyncio

import pytest

from millrace_bus.writing.acknowledged import Acknowledged
from millrace_core.ids import MessageId


async def test_waiting_ends_with_the_message() -> None:
    """Whoever waits for a message waits for exactly that one."""
    acknowledged = Acknowledged()
    acknowledged.restart(MessageId(1, 0), last=0)
    await acknowledged.wait_for(0)
    waiting = asyncio.ensure_future(acknowledged.wait_for(2))
    await asyncio.sleep(0)
    acknowledged.one()
    await asyncio.sleep(0)
    assert not waiting.done()
    acknowledged.one()
    await waiting


async def test_a_new_epoch_is_waited_for_as_a_whole() -> None:
    """What was handed in before is acknowledged with the last message that it became."""
    acknowledged = Acknowledged()
    acknowledged.restart(MessageId(1, 0), last=0)
    waiting = asyncio.ensure_future(acknowledged.wait_for(50))
    await asyncio.sleep(0)
    acknowledged.restart(MessageId(2, 0), last=1)
    acknowledged.one()
    await waiting


async def test_failing_tells_everyone() -> None:
    """Nobody waits for what will not come."""
    acknowledged = Acknowledged()
    waiting = asyncio.ensure_future(acknowledged.wait_for(1))
    await asyncio.sleep(0)
    acknowledged.fail(ValueError("gone"))
    with pytest.raises(ValueError, match="gone"):
        await waiting
