from decimal import Decimal
from functools import reduce
from itertools import accumulate, pairwise, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.messages import encode
from millrace_core.orders import FINAL_STATUSES, Order, OrderFee, OrderRecord, join

AMOUNTS = st.none() | st.integers(0, 4).map(Decimal)
TIMES = st.none() | st.integers(1, 4)
FEES = st.lists(st.builds(OrderFee, currency=st.sampled_from(["BNB", "KCS"]), cost=AMOUNTS), max_size=2)
ORDERS = st.builds(
    Order,
    id=st.just("1"),
    symbol=st.none() | st.just("KCS/USDT"),
    client_order_id=st.none() | st.sampled_from(["a", "b"]),
    price=AMOUNTS,
    amount=AMOUNTS,
    filled=AMOUNTS,
    cost=AMOUNTS,
    average=AMOUNTS,
    remaining=AMOUNTS,
    fees=FEES,
    status=st.sampled_from([None, "open", *FINAL_STATUSES]),
    last_update_timestamp=TIMES,
    timestamp=TIMES,
    datetime=st.none() | st.sampled_from(["a", "b"]),
)
RECORDS = st.builds(
    OrderRecord,
    order=ORDERS,
    exchange=st.just("binance"),
    updated=st.integers(1, 4),
    order_source=st.none() | st.sampled_from(["James", "PingPong"]),
    request_id=st.none() | st.just("f" * 32),
)


@given(RECORDS, RECORDS)
def test_the_order_of_arrival_does_not_matter(a: OrderRecord, b: OrderRecord) -> None:
    """The record does not depend on who writes first."""
    assert join(a, b) == join(b, a)


@given(RECORDS, RECORDS, RECORDS)
def test_the_grouping_does_not_matter(a: OrderRecord, b: OrderRecord, c: OrderRecord) -> None:
    """Several writers may join in whatever grouping."""
    assert join(join(a, b), c) == join(a, join(b, c))


@given(RECORDS, RECORDS)
def test_hearing_it_again_changes_nothing(a: OrderRecord, b: OrderRecord) -> None:
    """A message that arrives twice leaves the record as it was."""
    once = join(a, b)
    assert join(once, a) == once
    assert join(once, b) == once
    assert join(once, once) == once


@given(RECORDS, RECORDS)
def test_nothing_is_undone(a: OrderRecord, b: OrderRecord) -> None:
    """Fills never fall, final orders stay final, and the source is never erased."""
    joined = join(a, b)
    for side in (a, b):
        assert (joined.order.filled or 0) >= (side.order.filled or 0)
        assert joined.order.is_final or not side.order.is_final
        assert joined.order_source is not None or side.order_source is None
        assert joined.request_id is not None or side.request_id is None


@given(st.lists(RECORDS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_of_updates_leaves_the_same_record(records: list[OrderRecord], random: Random) -> None:
    """Shuffled, and with some of them twice; on the way fills never fall, and what is closed never reopens."""
    shuffled = [*records, *random.choices(records, k=3)]
    random.shuffle(shuffled)
    states = list(accumulate(shuffled, join))
    assert states[-1] == reduce(join, [*records, records[0]])
    for before, after in pairwise(states):
        assert (after.order.filled or 0) >= (before.order.filled or 0)
        assert after.order.is_final or not before.order.is_final


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.sampled_from(FINAL_STATUSES), st.permutations(range(7)))
def test_an_order_ends_as_the_exchange_ended_it(fills: list[int], status: str, places: list[int]) -> None:
    """Whatever report of its life comes last: the acknowledgement, a fill, its end."""
    life, filled = [OrderRecord(Order("1", "KCS/USDT", client_order_id="a"), "binance", 1)], 0
    for number, fill in enumerate(fills, 2):
        filled += fill
        is_last = number == len(fills) + 1
        order = Order("1", "KCS/USDT", amount=Decimal(30), filled=Decimal(filled), status=status if is_last else "open")
        life.append(OrderRecord(order, "binance", number))
    ended = reduce(join, [life[place] for place in places if place < len(life)]).order
    assert (ended.status, ended.filled, ended.remaining) == (status, filled, 30 - filled)
    assert ended.client_order_id == "a"


def test_a_late_acknowledgement_hides_neither_terms_nor_fills() -> None:
    """A newer answer with nothing but the id keeps what the stream reported."""
    pushed = OrderRecord(
        order=Order(id="1", price=Decimal(25), amount=Decimal(2), filled=Decimal(1), status="open", timestamp=10),
        exchange="binance",
        updated=11,
    )
    answer = OrderRecord(
        order=Order(id="1", last_update_timestamp=99), exchange="binance", updated=99, order_source="James"
    )
    for records in permutations([pushed, answer]):
        joined = join(*records)
        assert (joined.order.price, joined.order.filled, joined.order.status) == (Decimal(25), Decimal(1), "open")
        assert joined.order.remaining == Decimal(1)
        assert joined.order.is_final is False
        assert joined.order_source == "James"


def test_a_cancel_does_not_replace_what_the_order_was_created_as() -> None:
    """Binance's answer to a cancel has an id and a time of its own; the order keeps those of its creation."""
    created = Order(id="1", client_order_id="ours", timestamp=10, datetime="10", status="open")
    pushed = Order(id="1", client_order_id="ours", timestamp=10, datetime="10", status="canceled")
    canceled = Order(id="1", client_order_id="zzz", timestamp=99, datetime="99", status="canceled")
    acknowledged = Order(id="1")
    for reports in permutations([created, pushed, canceled, acknowledged]):
        joined = OrderRecord(reports[0], "binance", 1)
        for report in reports[1:]:
            joined = join(joined, OrderRecord(report, "binance", 1))
        order = joined.order
        assert (order.client_order_id, order.timestamp, order.datetime) == ("ours", 10, "10")
        assert order.status == "canceled"


@pytest.mark.parametrize(
    "other",
    [
        OrderRecord(Order(id="2", symbol="KCS/USDT"), "binance", 1),
        OrderRecord(Order(id="1", symbol="ETH/USDT"), "binance", 1),
        OrderRecord(Order(id="1", symbol="KCS/USDT"), "kucoin", 1),
    ],
)
def test_two_orders_are_never_joined(other: OrderRecord) -> None:
    """Orders of different ids, symbols or exchanges are an error of the caller, whichever comes first."""
    record = OrderRecord(Order(id="1", symbol="KCS/USDT"), "binance", 1)
    for pair in ((record, other), (other, record)):
        with pytest.raises(ValueError, match="not the same order"):
            join(*pair)


WILD = st.none() | st.sampled_from([Decimal(1), Decimal("NaN"), Decimal("-Infinity")])
WILD_RECORDS = st.builds(
    OrderRecord,
    order=st.builds(
        Order,
        id=st.just("1"),
        price=WILD,
        amount=WILD,
        filled=WILD,
        remaining=WILD,
        fees=st.lists(st.builds(OrderFee, cost=WILD, rate=WILD), max_size=2),
    ),
    exchange=st.just("binance"),
    updated=st.just(1),
)


@given(WILD_RECORDS, WILD_RECORDS)
def test_a_number_that_is_not_finite_counts_as_unknown(a: OrderRecord, b: OrderRecord) -> None:
    """NaN cannot be compared or written as JSON, so no join raises because of it or passes it on."""
    order = join(a, b).order
    fees = [number for fee in order.fees for number in (fee.cost, fee.rate)]
    numbers = [order.price, order.amount, order.filled, order.remaining, *fees]
    assert all(number is None or number.is_finite() for number in numbers)
    assert join(a, b) == join(b, a)


def test_an_order_filled_beyond_its_amount_has_nothing_left() -> None:
    """Some exchanges report the last fill whole after an edit to a smaller amount."""
    more = Order(id="1", amount=Decimal(2), filled=Decimal("2.5"))
    assert _joined(more, Order(id="1", amount=Decimal(2), filled=Decimal(1))).remaining == 0


def test_a_known_creation_counts_more_than_an_unknown_one() -> None:
    """Of two reports with an id of ours, the one that knows its time says how the order was created."""
    timed, untimed = (Order(id="1", client_order_id=id_, timestamp=at) for id_, at in (("a", 5), ("b", None)))
    assert _joined(timed, untimed) == timed


def test_fees_that_are_not_listed_are_unknown() -> None:
    """A report of the same fills that lists them is preferred, whatever they are."""
    listed = Order(id="1", filled=Decimal(1), fees=[OrderFee()])
    assert _joined(Order(id="1", filled=Decimal(1)), listed).fees == listed.fees


def test_an_order_without_a_symbol_has_no_key() -> None:
    """Numbers of orders are given out by symbol."""
    keys = [
        OrderRecord(order=Order(id="1", symbol=symbol), exchange="binance", updated=1).key for symbol in ("A/B", None)
    ]
    assert keys == [("binance", "A/B", "1"), None]


def test_what_is_not_known_is_not_sent() -> None:
    """Readers take an absent field for unknown."""
    record = OrderRecord(order=Order(id="1", fees=[OrderFee(cost=Decimal(1))]), exchange="binance", updated=1)
    assert encode(record) == b'{"order":{"id":"1","fees":[{"cost":1}]},"exchange":"binance","updated":1}'


def _joined(a: Order, b: Order) -> Order:
    records = [OrderRecord(order=each, exchange="binance", updated=1) for each in (a, b)]
    return join(*records).order
