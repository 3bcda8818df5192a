from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace_core.ids import RequestId
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelAllPayload,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    Request,
)
from millrace_executor.resolution.rules import Findings, conclude, is_replacement, may_be

ID = RequestId("0" * 32)
CREATE = CreateOrder(
    exchange_id="binance",
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(25)),
)
CANCEL = CancelOrder(exchange_id="binance", payload=CancelPayload(symbol="KCS/USDT", order_id="7"))
EDIT = EditOrder(exchange_id="binance", payload=EditPayload(symbol="KCS/USDT", order_id="7", price=Decimal("26.0")))
CANCEL_ALL = CancelAllOrders(exchange_id="binance", payload=CancelAllPayload(symbol="KCS/USDT"))
OPEN = Order(id="7", status="open", price=Decimal(25))

requests = st.sampled_from([CREATE, CANCEL, EDIT, CANCEL_ALL])


def status(request: Request, findings: Findings) -> str | None:
    answer = conclude(ID, request, findings)
    return None if answer is None else answer.status


@given(requests)
def test_not_finding_an_order_proves_nothing_at_first(request: Request) -> None:
    """Before the exchange can have forgotten it, absence and unchanged orders prove nothing."""
    assert conclude(ID, request, Findings(window_over=False, order=None, still_open=(OPEN,))) is None


@given(requests)
def test_not_finding_an_order_proves_its_absence_in_the_end(request: Request) -> None:
    """After the settlement window absence is `failed`, never `rejected`: the exchange refused nothing."""
    assert status(request, Findings(window_over=True, order=None, still_open=(OPEN,))) == "failed"


@pytest.mark.parametrize("window_over", [False, True])
@pytest.mark.parametrize("state", ["open", "closed", "canceled", "expired", None])
def test_an_order_that_is_found_was_placed(window_over: bool, state: str | None) -> None:
    """Finding the order settles its creation at once, whatever became of it since."""
    answer = conclude(ID, CREATE, Findings(window_over, order=Order(id="7", status=state)))
    assert answer is not None
    assert answer.status == "done"
    assert answer.order is not None


@pytest.mark.parametrize("window_over", [False, True])
@pytest.mark.parametrize("other", [{"side": "sell"}, {"timestamp": 1}], ids=str)
def test_another_order_under_our_id_proves_nothing(window_over: bool, other: dict[str, Any]) -> None:
    """One that is hours older, whose request had the same id, or one of the other side: neither done nor failed."""
    order = Order(id="7", **({"side": "buy", "timestamp": 9_000_000, "status": "closed"} | other))
    assert status(CREATE, Findings(window_over, order=order, is_ours=True, begun_ms=10_000_000)) is None
    if "timestamp" not in other:
        assert status(CREATE, Findings(window_over, order=replace(order, side="buy"), begun_ms=10_000_000)) == "done"


def test_an_order_that_the_exchange_rejected_is_rejected() -> None:
    """An order that exists as a rejected one was not placed."""
    assert status(CREATE, Findings(window_over=False, order=Order(id="7", status="rejected"))) == "rejected"


def test_a_cancel_is_settled_by_the_orders_end() -> None:
    """Canceled is done; filled is too late; open proves nothing until everything has settled."""
    assert status(CANCEL, Findings(window_over=False, order=Order(id="7", status="canceled"))) == "done"
    assert status(CANCEL, Findings(window_over=False, order=Order(id="7", status="closed"))) == "failed"
    assert status(CANCEL, Findings(window_over=False, order=OPEN)) is None
    assert status(CANCEL, Findings(window_over=True, order=OPEN)) == "failed"


def test_a_cancel_of_what_was_left_of_an_order_is_done() -> None:
    """Of Bybit's orders that were canceled after a part of them was filled ccxt says "closed" too."""
    part = Order(id="7", status="closed", type="limit", amount=Decimal(10), filled=Decimal(4))
    assert status(CANCEL, Findings(window_over=False, order=part)) == "done"
    assert status(CANCEL, Findings(window_over=False, order=replace(part, filled=Decimal(10)))) == "failed"


def test_an_edit_is_settled_by_the_orders_terms() -> None:
    """The order with the terms asked for, however written, is the edit done; with others it proves nothing yet."""
    assert status(EDIT, Findings(window_over=False, order=Order(id="8", status="open", price=Decimal(26)))) == "done"
    assert status(EDIT, Findings(window_over=False, order=OPEN)) is None
    assert status(EDIT, Findings(window_over=True, order=OPEN)) == "failed"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, True),
        ({"side": None, "amount": None, "timestamp": None}, True),
        ({"side": "sell"}, False),
        ({"amount": Decimal(2)}, False),
        ({"timestamp": 999}, False),
        ({"client_order_id": "another"}, False),
        ({"timestamp": 1_500}, True),
    ],
)
def test_an_order_without_our_id_may_be_the_one_that_was_made(terms: dict[str, Any], expected: bool) -> None:
    """An exchange that lists orders without our id proves no absence while one with the same terms is there."""
    same = {"side": "buy", "amount": Decimal(1), "timestamp": 1_000}
    order = Order(id="7", **{**same, **terms})
    assert may_be(order, CREATE.payload, 1_000) is expected
    assert status(CREATE, Findings(window_over=True, nameless=order if expected else None)) == (
        None if expected else "failed"
    )


def test_a_canceled_order_is_no_edited_one() -> None:
    """A cancel-replace of which only the first half was done leaves an order with the terms that it had."""
    same = EditOrder(exchange_id="binance", payload=EditPayload(symbol="KCS/USDT", order_id="7", price=Decimal(25)))
    canceled = Order(id="7", status="canceled", price=Decimal(25))
    assert status(same, Findings(window_over=False, order=canceled)) is None
    answer = conclude(ID, same, Findings(window_over=True, order=canceled))
    assert answer is not None
    assert answer.error is not None
    assert answer.status == "failed"
    assert "was canceled, and none took its place" in answer.error.message


@pytest.mark.parametrize(("state", "reason"), [("open", "was not changed"), ("closed", "was not changed")])
def test_an_edit_that_changed_nothing_says_so(state: str, reason: str) -> None:
    """The order is there with its former terms, open or filled by now."""
    order = Order(id="7", status=state, price=Decimal(24), amount=Decimal(1))
    answer = conclude(ID, EDIT, Findings(window_over=True, order=order))
    assert answer is not None
    assert answer.error is not None
    assert reason in answer.error.message


def test_a_cancel_of_an_order_that_expired_is_done() -> None:
    """Nothing is open any more, which is what was wanted; only a filled order could not be canceled."""
    for state, expected in (("canceled", "done"), ("expired", "done"), ("rejected", "done"), ("closed", "failed")):
        assert status(CANCEL, Findings(window_over=False, order=Order(id="7", status=state))) == expected


def test_an_order_with_higher_terms_than_asked_for_is_not_edited() -> None:
    """Neither lower nor higher ones are those that an edit asked for."""
    for price, expected in ((25, None), (26, "done"), (27, None)):
        order = Order(id="7", status="open", price=Decimal(price))
        assert status(EDIT, Findings(window_over=False, order=order)) == expected


def test_a_replacement_under_our_id_proves_the_edit_whatever_its_amount() -> None:
    """It lacks what was filled before."""
    whole = EditPayload(symbol="KCS/USDT", order_id="7", price=Decimal(26), amount_base=Decimal(10))
    request = EditOrder(exchange_id="binance", payload=whole)
    rest = Order(id="8", status="open", price=Decimal(26), amount=Decimal(6))
    assert status(request, Findings(window_over=False, order=rest)) is None
    assert status(request, Findings(window_over=False, order=rest, is_ours=True)) == "done"


@pytest.mark.parametrize(("order", "reason"), [(OPEN, "is still open"), (None, "knows no such order")])
def test_a_cancel_that_was_not_done_says_why(order: Order | None, reason: str) -> None:
    """The order is there, or nobody knows it."""
    answer = conclude(ID, CANCEL, Findings(window_over=True, order=order))
    assert answer is not None
    assert answer.error is not None
    assert reason in answer.error.message


def test_cancelling_all_is_settled_when_nothing_is_open() -> None:
    """No open order left is what was wanted."""
    assert status(CANCEL_ALL, Findings(window_over=False)) == "done"


@pytest.mark.parametrize("window_over", [False, True])
@pytest.mark.parametrize("request_", [CANCEL, EDIT])
def test_an_order_whose_state_is_not_said_settles_nothing(request_: Any, window_over: bool) -> None:
    """It is neither canceled nor open, and its terms may be those that it was canceled with."""
    assert status(request_, Findings(window_over, order=Order(id="7", price=Decimal(26)))) is None


@pytest.mark.parametrize(("filled", "answered"), [(4, "done"), (3, "done"), (2, "failed")])
def test_an_edit_that_left_nothing_to_place_is_done(filled: int, answered: str) -> None:
    """The order was filled to the new amount, and canceled: no order had to take its place."""
    edit = replace(EDIT, payload=replace(EDIT.payload, amount_base=Decimal(3)))
    order = replace(OPEN, status="canceled", amount=Decimal(5), filled=Decimal(filled))
    assert status(edit, Findings(window_over=True, order=order)) == answered


@pytest.mark.parametrize(("timestamp", "expected"), [(6_400_000, "done"), (6_399_999, None)])
def test_an_order_may_seem_an_hour_older_than_its_request(timestamp: int, expected: str | None) -> None:
    """Clocks differ by less; what is older is another's."""
    order = Order(id="7", status="open", timestamp=timestamp)
    assert status(CREATE, Findings(window_over=True, order=order, begun_ms=10_000_000)) == expected


@pytest.mark.parametrize(
    ("edit", "former", "amount", "price", "expected"),
    [
        ({"price": 26, "amount_base": 9}, {"filled": 4}, 5, 26, True),
        ({"price": 26, "amount_base": 9}, {"filled": 4}, 9, 26, False),
        ({"price": 26, "amount_base": 9}, {"filled": None}, 9, 26, True),
        ({"price": 26}, {"filled": 4}, 6, 26, True),
        ({"price": 26}, {"filled": 4, "amount": None}, 3, 26, True),
        ({"amount_base": 9}, {}, 9, 25, True),
        ({"amount_base": 9}, {}, 9, 26, False),
        ({"amount_base": 9}, {"price": None}, 9, 26, True),
        ({"amount_base": 9}, {}, None, 25, False),
    ],
)
def test_a_replacement_has_the_rest_of_what_was_wanted(
    edit: dict[str, int], former: dict[str, Any], amount: int | None, price: int, expected: bool
) -> None:
    """Of an order of 10 at 25: what the edit does not name stays, and what is not known proves nothing against it."""
    payload = EditPayload(symbol="KCS/USDT", order_id="7", **{name: Decimal(value) for name, value in edit.items()})
    replaced = replace(OPEN, **{"amount": Decimal(10)} | former)
    order = Order(id="8", amount=None if amount is None else Decimal(amount), price=Decimal(price))
    assert is_replacement(order, replaced, payload) is expected
