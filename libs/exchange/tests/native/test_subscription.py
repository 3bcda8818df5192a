"""A subscription that moves from one connection to another."""

import asyncio
from collections.abc import Hashable
from typing import NamedTuple

import pytest

from millrace_exchange import Retryable
from millrace_exchange.native.dialect import Event, Topic
from millrace_exchange.native.subscription import Subscription


class Numbered(NamedTuple):
    """An event."""

    position: int
    name: str = ""
    route: Hashable = "route"


class Connection:
    """A connection that brings what a test says."""

    def __init__(self, *, is_confirmed: bool = True) -> None:
        self._is_confirmed = is_confirmed

    def is_confirmed(self, stream: str) -> bool:
        """Tell whether the exchange sends it."""
        return self._is_confirmed

    def remove(self, subscription: Subscription) -> None:
        """Bring nothing more."""


class Moving:
    """A subscription on an old connection that moves to a new one."""

    def __init__(self, old: Connection, new: Connection) -> None:
        self.taken: list[int] = []
        self.old, self.new = old, new
        self.subscription = Subscription(Topic("stream", "route"), self._take, _failure, old)
        self.old_brings(1, 2)
        self.subscription.move_to(new)

    def _take(self, event: Numbered, received_ns: int) -> None:
        self.taken.append(event.position)

    def old_brings(self, *positions: int) -> None:
        """Bring events over the old connection."""
        for position in positions:
            self.subscription.received(self.old, Numbered(position), 1)

    def new_brings(self, *positions: int) -> None:
        """Bring events over the new connection."""
        for position in positions:
            self.subscription.received(self.new, Numbered(position), 1)


def _failure(error: Exception) -> Retryable:
    return Retryable(str(error), exchange="x", action="watchTrades", kind="NetworkError")


@pytest.fixture
async def moving() -> Moving:
    """A subscription that has begun to move."""
    return Moving(Connection(), Connection())


async def test_each_event_is_passed_on_once_and_in_order(moving: Moving) -> None:
    """Whichever connection is faster: events that both bring come from the one that is left."""
    moving.new_brings(4, 5, 6)
    moving.old_brings(3)
    assert not moving.subscription.caught_up.is_set()
    moving.old_brings(4)
    assert moving.subscription.caught_up.is_set()
    moving.subscription.move()
    moving.old_brings(5)
    await asyncio.sleep(0)
    moving.new_brings(7)
    moving.old_brings(6, 7)
    assert moving.taken == [1, 2, 3, 4, 5, 6, 7]


async def test_the_end_of_the_old_connection_moves_it_at_once(moving: Moving) -> None:
    """What was held is passed on."""
    moving.new_brings(3, 4)
    moving.subscription.lost(moving.old, ConnectionError("gone"))
    await asyncio.sleep(0)
    assert moving.taken == [1, 2, 3, 4]
    assert not moving.subscription.broken.done()


async def test_the_end_of_the_new_connection_changes_nothing(moving: Moving) -> None:
    """The old one goes on, and nobody waits for the new one."""
    moving.new_brings(3)
    moving.subscription.lost(moving.new, ConnectionError("gone"))
    moving.old_brings(3, 4)
    assert moving.taken == [1, 2, 3, 4]
    assert moving.subscription.caught_up.is_set()


async def test_the_end_of_the_old_connection_breaks_it_while_the_new_one_does_not_bring_it() -> None:
    """Something may be missing in between."""
    moving = Moving(Connection(), Connection(is_confirmed=False))
    moving.subscription.lost(moving.old, ConnectionError("gone"))
    assert isinstance(await moving.subscription.broken, Retryable)


async def test_the_end_of_both_connections_in_one_turn_breaks_it(moving: Moving) -> None:
    """Nothing would ever come again."""
    moving.new_brings(3)
    moving.subscription.lost(moving.old, ConnectionError("gone"))
    moving.subscription.lost(moving.new, ConnectionError("gone as well"))
    async with asyncio.timeout(1):
        assert str(await moving.subscription.broken) == "gone as well"


async def test_what_comes_while_it_moves_comes_after_what_was_held(moving: Moving) -> None:
    """The order stays, although what was held is passed on a turn later."""
    moving.new_brings(3)
    moving.subscription.lost(moving.old, ConnectionError("gone"))
    moving.new_brings(4)
    await asyncio.sleep(0)
    assert moving.taken == [1, 2, 3, 4]


async def test_events_of_one_place_differ_by_what_they_say(moving: Moving) -> None:
    """Those that the old connection had not brought yet when it was left are passed on, the others are not again."""
    taken: list[Event] = []
    moving.subscription._take = lambda event, _: taken.append(event)
    first, second, third = (Numbered(3, name) for name in ("first", "second", "third"))
    for event in (first, second, third, second):
        moving.subscription.received(moving.new, event, 1)
    moving.subscription.received(moving.old, first, 1)
    assert moving.subscription.caught_up.is_set()
    moving.subscription.move()
    await asyncio.sleep(0)
    assert taken == [first, second, third]


async def test_events_of_one_turn_are_one_batch() -> None:
    """They are taken in order, before what the next turn brings."""
    batches: list[list[int]] = []
    connection = Connection()
    subscription = Subscription(
        Topic("stream", "route"),
        lambda events, _: batches.append([event.position for event in events]),
        _failure,
        connection,
        in_batches=True,
    )
    subscription.received(connection, Numbered(1), 1)
    subscription.received(connection, Numbered(2), 2)
    assert batches == []
    await asyncio.sleep(0)
    subscription.received(connection, Numbered(3), 3)
    await asyncio.sleep(0)
    assert batches == [[1, 2], [3]]
