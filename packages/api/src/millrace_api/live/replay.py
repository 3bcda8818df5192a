"""Resuming a stream from its journal, when memory does not reach back to the client's last message."""

import asyncio

from millrace_api.live import messages
from millrace_api.live.client import Client, ClientSubscription
from millrace_bus import CommandRefused, JournalPage, Journals
from millrace_core.ids import MessageId

PAGE = 500
_TIMEOUT_S = 10.0
_POLL_S = 0.02
_MAX_POLLS = 500


async def replay(
    journals: Journals, client: Client, subscription: ClientSubscription, since: MessageId, turn: asyncio.Semaphore
) -> None:
    """Send everything after `since` and go live; where the journal has a gap, send the whole state instead.

    Each page is read in the `turn` of the client's tenant.
    """
    subscription.replay()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await subscription.topic.ready()
        is_resumed = await _bridge(journals, client, subscription, since, turn)
    except (TimeoutError, CommandRefused):
        is_resumed = False
    if not is_resumed:
        subscription.give_up_replay()


async def _bridge(
    journals: Journals, client: Client, subscription: ClientSubscription, since: MessageId, turn: asyncio.Semaphore
) -> bool:
    """Send journal entries until memory holds the rest; return False when a message is missing or late.

    Raises:
        TimeoutError: Redis did not answer in time.
    """
    name, last, polls = subscription.topic.name, since, 0
    while subscription.is_open and not subscription.resume(last):
        if last > (subscription.topic.last or last):
            if last == since:
                return False
            # The journal is ahead of the channel for a moment.
            polls += 1
            if polls > _MAX_POLLS:
                return False
            await asyncio.sleep(_POLL_S)
            continue
        async with turn, asyncio.timeout(_TIMEOUT_S):
            entries = (await journals.read({str(name): last}, most=PAGE)).get(str(name))
        if not entries or not _joins_on(last, entries):
            return False
        for entry in entries:
            client.send(messages.framed(name, entry.body or b""))
        last = entries[-1].id
        await client.writable()
    return True


def _joins_on(last: MessageId, entries: JournalPage) -> bool:
    """Tell whether no message is missing from `last` through the entries."""
    for entry in entries:
        if not entry.id.follows(last) or entry.body is None:
            return False
        last = entry.id
    return True
