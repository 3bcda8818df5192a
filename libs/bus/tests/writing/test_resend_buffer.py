"""What a writer keeps, and counting acknowledgements."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_bus.writing.resend_buffer import KEPT_NS, Acknowledged, ResendBuffer
from millrace_core.ids import MessageId


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, KEPT_NS)), max_size=60), st.integers(1, 20))
def test_nothing_unacknowledged_goes_unnoticed(steps: list[tuple[int, int]], most: int) -> None:
    """Every message that Redis may lack is kept, or its loss was reported; the numbers never have a gap."""
    buffer, acknowledged, now, lost = ResendBuffer(most), 0, 0, False
    for seq, (newly, passed) in enumerate(steps, start=1):
        now += passed
        lost |= not buffer.append(seq, now, b"%d" % seq, acknowledged)
        kept = [number for number, _ in buffer.after(0)]
        assert kept == list(range(kept[0], seq + 1))
        assert len(buffer) <= most
        assert lost or kept[0] <= acknowledged + 1
        acknowledged = min(seq, acknowledged + newly)


def test_what_is_acknowledged_is_kept_for_a_while() -> None:
    """Redis may still lose it: it goes after 5 s."""
    buffer = ResendBuffer(10)
    buffer.append(1, 0, b"1", acknowledged=0)
    buffer.append(2, KEPT_NS, b"2", acknowledged=1)
    assert buffer.first == 1
    buffer.append(3, KEPT_NS + 1, b"3", acknowledged=2)
    assert buffer.first == 2
    assert buffer.after(2) == [(3, b"3")]
    buffer.clear()
    assert buffer.first is None


def test_nothing_is_forgotten_during_an_outage() -> None:
    """What was acknowledged just before it may be what Redis returns without, however long it lasts."""
    buffer = ResendBuffer(10)
    buffer.append(1, 0, b"1", acknowledged=0)
    buffer.append(2, 10 * KEPT_NS, b"2", acknowledged=1, is_connected=False)
    assert buffer.first == 1
    buffer.append(3, 10 * KEPT_NS, b"3", acknowledged=1)
    assert buffer.first == 2


async def test_waiting_ends_with_the_message() -> None:
    """A caller that waits for a message waits for exactly that one."""
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


async def test_failing_ends_every_wait() -> None:
    """No caller waits for an acknowledgement that will not come."""
    acknowledged = Acknowledged()
    waiting = asyncio.ensure_future(acknowledged.wait_for(1))
    await asyncio.sleep(0)
    acknowledged.fail(ValueError("gone"))
    with pytest.raises(ValueError, match="gone"):
        await waiting
