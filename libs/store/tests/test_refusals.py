"""What a database cannot hold is refused in our own terms, and the next batch is stored as ever."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from millrace_core.ids import MessageId
from millrace_core.market import Balance
from millrace_core.messages import Status
from millrace_core.names import StreamName
from millrace_core.orders import Order
from millrace_store import Batch, Place, Store, StoreError
from millrace_store.errors import ValueRejected

AT = MessageId(5, 1)
HUGE = 2**70
"""Beyond what 64 bits hold."""

Add = Callable[[Batch, Place], None]

BAD: dict[str, Add] = {
    "a time of an order": lambda batch, at: batch.orders(at, [Order("1", "A/B", timestamp=HUGE)]),
    "a time of a candle": lambda batch, at: batch.candles(at, "1m", [(HUGE, 1.0, 1.0, 1.0, 1.0, 1.0)]),
    "a time of a status": lambda batch, at: batch.status(at._replace(at_ms=HUGE), Status("live")),
    "a time of a balance": lambda batch, at: batch.balances(at._replace(at_ms=HUGE), {"A": Balance(1.0)}),
    "a message's number": lambda batch, at: batch.event(at._replace(id=MessageId(5, HUGE)), b"{}"),
    "a number that is none": lambda batch, at: batch.orders(
        at, [Order("1", "A/B", filled=Decimal(digits)) for digits in ("1", "NaN")]
    ),
    "digits without end": lambda batch, at: batch.orders(at, [Order("1", "A/B", filled=Decimal("1e999999"))]),
    "a price of digits without end": lambda batch, at: batch.orders(at, [Order("1", "A/B", price=Decimal("1e999999"))]),
    "half a character": lambda batch, at: batch.balances(at, {"\ud800": Balance(1.0)}),
    "half a character of a reason": lambda batch, at: batch.status(at, Status("stale", "\ud800")),
}
REFUSED_BY_POSTGRES: dict[str, Add] = {
    "NUL": lambda batch, at: batch.candles(at, "1\x00m", [(1, 1.0, 1.0, 1.0, 1.0, 1.0)]),
}


@pytest.mark.parametrize("what", [*BAD, *REFUSED_BY_POSTGRES])
async def test_what_cannot_be_held_is_refused(
    store: Store, url: str, name: Callable[..., StreamName], what: str
) -> None:
    """It raises a StoreError, never that the database is away; nothing of the batch is there, and the store goes on."""
    place = Place(str(name("watchOrders")), AT, 1_000)
    batch = Batch()
    (BAD | REFUSED_BY_POSTGRES)[what](batch, place)
    batch.status(Place(str(name("watchTicker")), AT, 1_000), Status("live"))
    if url.startswith("sqlite") and what in REFUSED_BY_POSTGRES:
        await store.commit(batch)
        return
    with pytest.raises(StoreError) as refused:
        await store.commit(batch)
    assert type(refused.value) is ValueRejected
    assert await store.operations.positions() == {}
    async with store.batch() as good:
        good.status(place, Status("live"))
    assert await store.operations.positions() == {place.name: AT}
