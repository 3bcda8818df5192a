"""Replacing an order in two steps, where the exchange cannot refuse to replace one that was filled meanwhile."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import edit, outcome_of
from msgspec.structs import replace

from millrace_exchange import Acknowledgement, OutcomeUnknown, Rejected, guarded
from millrace_exchange.ccxt import replacing

CANCELED = {
    "id": 70000001,
    "symbol": "BTCUSDT",
    "client-order-id": "before",
    "amount": "10",
    "price": "20",
    "type": "buy-limit",
    "state": "partial-canceled",
    "field-amount": "7",
    "field-cash-amount": "140",
    "field-fees": "0",
    "created-at": 1700000000000,
}


class Htx:
    """An account whose order was filled to 7 of 10 by the time it is canceled; 4 were when it was asked for."""

    def __init__(self, account: Account, **replies: Reply) -> None:
        self.account = account
        account.order = replace(account.order, filled=Decimal(4))
        self.placed: list[dict[str, Any]] = []
        self.replies = {
            "submitcancel": _ok("70000001"),
            "orders/place": _ok("70000002"),
            "orders/70000001": _ok(CANCELED),
        } | replies

    def answer(self, request: bytes) -> Reply:
        """Answer a request by its path."""
        if b"orders/place" in request:
            self.placed.append(json.loads(request[request.index(b"{") :]))
        # The adapter asks from now on.
        self.account.knows = self.account.knows and b"submitcancel" not in request
        return next((reply for path, reply in self.replies.items() if path.encode() in request), Reply(b"{}"))


def _ok(data: Any) -> Reply:
    return Reply(json.dumps({"status": "ok", "data": data}).encode())


async def test_what_is_placed_is_what_the_end_of_the_former_order_left(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """10 are wanted and 7 were filled in the end: 3 are placed, though the question before said 4."""
    venue = Htx(account("htx"))
    server.answer = venue.answer
    edited = await outcome_of(venue.account, edit)
    assert isinstance(edited, Acknowledgement)
    assert [(Decimal(each["amount"]), Decimal(each["price"])) for each in venue.placed] == [(3, 21)]
    assert [order.id for order in edited.orders] == ["70000002"]
    assert [(order.id, order.status, order.filled) for order in edited.ended] == [("70000001", "canceled", 7)]


@pytest.mark.parametrize("at_first", [_ok({**CANCELED, "state": "canceling"}), Reply(b"", 502)])
async def test_an_order_that_is_still_being_canceled_is_asked_for_again(
    at_first: Reply, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """HTX takes a cancel on, and carries it out a moment later: the replacement is not given up at once."""
    venue, answers = Htx(account("htx")), [at_first, at_first]
    server.answer = lambda request: (
        answers.pop() if answers and b"GET /v1/order/orders/70000001" in request else venue.answer(request)
    )
    edited = await outcome_of(venue.account, edit)
    assert isinstance(edited, Acknowledgement), edited
    assert [Decimal(each["amount"]) for each in venue.placed] == [3]


async def test_nothing_is_placed_while_it_is_not_known_how_much_was_filled(
    server: ScriptedServer, account: Callable[[str], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is gone, and the answer says that no other took its place."""
    monkeypatch.setattr(replacing, "ASK_AGAIN_S", (0.0, 0.0))
    venue = Htx(account("htx"), **{"orders/70000001": Reply(b"<html>", content_type="text/html")})
    server.answer = venue.answer
    outcome = await outcome_of(venue.account, edit)
    assert isinstance(outcome, Rejected)
    assert "the order was canceled, its replacement was not placed" in str(outcome)
    assert venue.placed == []


async def test_nothing_is_placed_while_it_is_not_known_whether_the_former_order_ended(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Its cancel has no answer: the edit is unknown, and only one order can be there."""
    venue = Htx(account("htx"), submitcancel=Reply(b"{}"))
    server.answer = venue.answer
    assert isinstance(await outcome_of(venue.account, edit), OutcomeUnknown)
    assert venue.placed == []


async def test_a_replacement_without_an_answer_is_unknown(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """It is found by our id, never placed again."""
    venue = Htx(account("htx"), **{"orders/place": Reply(hangs_up=True)})
    server.answer = venue.answer
    assert isinstance(await outcome_of(venue.account, edit), OutcomeUnknown)
    assert len(venue.placed) == 1


class Lost(Exception):
    """Another executor acts."""


class Guard:
    """Doubts each request when it is signed, until it has been asked again."""

    def __init__(self, server: ScriptedServer, lost_after: int | None = None) -> None:
        self._server = server
        self._lost_after = lost_after
        self._doubted: set[int] = set()

    def is_sure(self) -> bool:
        """Doubt each request once, as after a freeze."""
        number = len(self._server.requests)
        is_sure = number in self._doubted
        self._doubted.add(number)
        return is_sure

    async def assure(self) -> None:
        """Return, unless it is lost by now."""
        if len(self._server.requests) == self._lost_after:
            raise Lost


async def test_each_step_is_signed_by_who_may_send_it(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """A step that waited until it may be sent is sent once, and no step before it is sent again."""
    venue = Htx(account("htx"))
    server.answer = venue.answer
    with guarded(Guard(server)):
        edited = await outcome_of(venue.account, edit)
    assert isinstance(edited, Acknowledgement), edited
    assert sum(b"submitcancel" in request for request in server.requests) == len(venue.placed) == 1


async def test_the_second_step_is_not_sent_by_who_may_no_more(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """The order is canceled; what takes its place is nobody's who was replaced meanwhile."""
    venue = Htx(account("htx"))
    server.answer = venue.answer
    with guarded(Guard(server, lost_after=1)), pytest.raises(Lost):
        await outcome_of(venue.account, edit)
    assert len(server.requests) == 1
    assert venue.placed == []
