"""What is asked about a request of unknown outcome, and what follows: an exchange's answers that are written down."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from millrace_core.backoff import BackoffPolicy
from millrace_core.ids import RequestId
from millrace_core.market import Trade
from millrace_core.messages import Response
from millrace_core.names import ExchangeId
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
from millrace_exchange import Exchange, ExchangeProfile, Fatal, Rejected, Retryable
from millrace_exchange.order_ids import ClientOrderIds
from millrace_executor.answering.intents import Intent
from millrace_executor.resolution import resolver as module
from millrace_executor.resolution.resolver import Resolver, Unresolvable
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

KCS = "KCS/USDT"
OURS = RequestId("a" * 32)
BEGUN_MS, WINDOW_MS = 1_000_000, 15_000
BUY = CreateOrder(
    exchange_id="x",
    payload=CreatePayload(symbol=KCS, side="buy", type="limit", amount_base=Decimal(5), price=Decimal(6)),
)
ABOUT = {"exchange": "x", "action": "fetchOrder"}
AWAY = Retryable("away", kind="NetworkError", **ABOUT)
REFUSED = Rejected("no", kind="PermissionDenied", **ABOUT)


class Answers:
    """An exchange that finds some orders when they are asked for, and lists others."""

    def __init__(
        self,
        found: Sequence[Order] = (),
        listed: Sequence[Order] = (),
        closed: Sequence[Order] = (),
        traded: Sequence[str] = (),
    ) -> None:
        self.execution, self.profile = self, ExchangeProfile(exchange=ExchangeId("x"))
        self.found, self.listed, self.closed, self.traded = found, listed, closed, traded
        self.asked: list[str] = []
        self.failures: list[Exception] = []
        """What is raised in turn, before anything is answered."""
        self.behind_ms = 0

    def clock_offset_ms(self) -> int:
        """Return how far the exchange's clock is ahead."""
        return -self.behind_ms

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Return an order by either id."""
        self.asked.append("order")
        if self.failures:
            raise self.failures.pop(0)
        ids = ((each, (each.id, each.client_order_id)) for each in self.found)
        return next((each for each, (a, b) in ids if order_id == a or (b is not None and client_order_id == b)), None)

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the open orders."""
        self.asked.append("open")
        return list(self.listed)

    async def fetch_closed_orders(self, symbol: str, since_ms: int) -> list[Order]:
        """Return the orders that ended."""
        self.asked.append("closed")
        return [each for each in self.closed if (each.last_update_timestamp or each.timestamp or since_ms) >= since_ms]

    async def fetch_my_trades(self, symbol: str, since_ms: int) -> list[Trade]:
        """Return a trade of each order that made some."""
        self.asked.append("trades")
        return [Trade(number, BEGUN_MS, symbol, "buy", 6.0, 1.0, order=number) for number in self.traded]


class Asking:
    """A resolver, the time by which it asks, and its pauses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = BEGUN_MS
        self.pauses_s: list[float] = []
        self.health = UnitHealthReporter("x", changed=lambda: None, errors=(errors := ErrorLog()))
        self.errors = errors
        monkeypatch.setattr(module, "now_ms", lambda: self.now_ms)
        monkeypatch.setattr(module, "ASK_AGAIN", BackoffPolicy(first_s=0, limit_s=0))
        monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=self._pause))

    async def _pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_ms += max(1, int(seconds * 1_000))
        await asyncio.sleep(0)

    @property
    def unknown(self) -> float:
        """Return how many requests the heartbeat says are unknown."""
        return self.health.report().counters["unknown"]

    def resolver(self, answers: Answers, *, finds_closed: bool = True, **terms: Any) -> Resolver:
        """Return one for an exchange with such a profile."""
        ids = ClientOrderIds(finds_closed=finds_closed)
        known = {"recv_window_ms": 5_000, "backend_ms": WINDOW_MS - 5_000, "client_order_ids": ids} | terms
        answers.profile = ExchangeProfile(exchange=ExchangeId("x"), **known)
        return Resolver(cast(Exchange, answers), self.health, lambda: self.now_ms, account="keys")


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    """Return what makes resolvers."""
    return Asking(monkeypatch)


def intent_of(request: Request | None, *, ago_ms: int = 0, **others: Any) -> Intent:
    """The intent of a request that began just now, and was sent so long ago."""
    terms: dict[str, Any] = {"client_order_id": OURS, "sent_by": BEGUN_MS - ago_ms, "account": "keys"} | others
    return Intent(OURS, "unknown", f"stream.T.x.createOrder.{KCS}", BEGUN_MS, BEGUN_MS, request, **terms)


def order(number: str = "7", status: str = "open", **terms: Any) -> Order:
    known = {"side": "buy", "amount": Decimal(5), "price": Decimal(6), "timestamp": BEGUN_MS, "client_order_id": OURS}
    whole = known | terms
    if (our_id := whole["client_order_id"]) is not None:
        whole["client_order_id"] = "".join([*str(our_id)])  # as it is read: equal, not the same
    return Order(number, KCS, status=status, **whole)


NAMELESS = order(client_order_id=None)
OVER, NOT_YET = WINDOW_MS + 1, WINDOW_MS


@pytest.mark.parametrize(
    ("answers", "ago_ms", "finds_closed", "status", "asked"),
    [
        (Answers(found=[order()]), 0, True, "done", ["order"]),
        (Answers(listed=[order()]), 0, True, "done", ["order", "open"]),
        (Answers(listed=[order(client_order_id="b")]), NOT_YET, True, None, ["order", "open"]),
        (Answers(closed=[order(status="canceled")]), NOT_YET, False, None, ["order", "open"]),
        (Answers(listed=[order(client_order_id="b")]), OVER, True, "failed", ["trades", "open", "order", "open"]),
        (Answers(listed=[NAMELESS]), OVER, True, None, ["trades", "open", "order", "open"]),
        (Answers(listed=[NAMELESS]), NOT_YET, True, None, ["order", "open"]),
        (
            Answers(listed=[order(client_order_id=None, timestamp=BEGUN_MS - 60_000)]),
            *(OVER, True, None, ["trades", "open", "order", "open"]),
        ),
        (
            Answers(listed=[order(client_order_id=None, timestamp=BEGUN_MS - 60_001)]),
            *(OVER, True, "failed", ["trades", "open", "order", "open"]),
        ),
        (Answers(found=[order()], listed=[NAMELESS]), OVER, True, "done", ["trades", "open", "order"]),
        (
            Answers(found=[order(status="closed")], traded=["7"]),
            OVER,
            False,
            "done",
            ["trades", "order", "order", "open"],
        ),
        (Answers(found=[NAMELESS], traded=["7"]), OVER, True, None, ["trades", "order", "open", "order", "open"]),
        (
            Answers(closed=[order("6", client_order_id="0"), order(status="canceled", timestamp=BEGUN_MS - 60_000)]),
            *(OVER, False, "done", ["trades", "open", "order", "open", "closed"]),
        ),
        (
            Answers(closed=[order(status="canceled", timestamp=BEGUN_MS - 60_001)]),
            *(OVER, False, "failed", ["trades", "open", "order", "open", "closed"]),
        ),
        (Answers(closed=[order(status="canceled")]), OVER, True, "failed", ["trades", "open", "order", "open"]),
    ],
)
async def test_an_order_is_looked_for_wherever_the_exchange_may_show_it(
    asking: Asking, answers: Answers, ago_ms: int, finds_closed: bool, status: str | None, asked: list[str]
) -> None:
    """By our id, among the open ones, by its trades, among those that ended; absence is proven after the window."""
    answers.asked.clear()
    resolution = await asking.resolver(answers, finds_closed=finds_closed).ask_once(intent_of(BUY, ago_ms=ago_ms))
    assert (None if resolution is None else resolution.answer.status) == status
    assert answers.asked == asked
    if resolution is not None and status == "done":
        assert [each.id for each in resolution.seen] == ["7"]


def cancel(**named: str) -> CancelOrder:
    return CancelOrder(exchange_id="x", payload=CancelPayload(symbol=KCS, **named))


@pytest.mark.parametrize(
    ("named", "answers", "finds_closed", "status", "asked"),
    [
        ({"order_id": "7"}, Answers(found=[order(status="canceled")]), False, "done", ["order"]),
        ({"order_id": "7"}, Answers(closed=[order(status="canceled")]), False, "failed", ["order"]),
        ({"client_order_id": OURS}, Answers(closed=[order(status="canceled")]), True, "failed", ["order"]),
        (
            {"client_order_id": OURS},
            Answers(
                closed=[
                    order("8", "closed", timestamp=None),
                    order("7", "canceled"),
                    order("9", "closed", timestamp=BEGUN_MS - 1),
                    order("6", "closed", client_order_id="0", timestamp=BEGUN_MS + 1),
                ]
            ),
            *(False, "done", ["order", "closed"]),
        ),
        (
            {"client_order_id": OURS},
            Answers(closed=[order(status="canceled", timestamp=BEGUN_MS - 60_000)]),
            *(False, "done", ["order", "closed"]),
        ),
        (
            {"client_order_id": OURS},
            Answers(closed=[order(status="canceled", timestamp=BEGUN_MS - 60_001)]),
            *(False, "failed", ["order", "closed"]),
        ),
    ],
)
async def test_an_order_to_cancel_is_looked_for_among_those_that_ended(
    asking: Asking, named: dict[str, str], answers: Answers, finds_closed: bool, status: str, asked: list[str]
) -> None:
    """Only where our id finds no order that ended; of several under one id the newest counts."""
    answers.asked.clear()
    intent = intent_of(cancel(**named), ago_ms=OVER)
    resolution = await asking.resolver(answers, finds_closed=finds_closed).ask_once(intent)
    assert resolution is not None
    assert (resolution.answer.status, answers.asked) == (status, asked)


FORMER = order("7", "canceled", client_order_id="cc", price=Decimal(5), timestamp=2, last_update_timestamp=BEGUN_MS)
NEWEST = order("8", client_order_id="cc", timestamp=BEGUN_MS - 60_000)
BY_NUMBER, BY_OUR_ID = {"order_id": "7"}, {"client_order_id": "cc"}


@pytest.mark.parametrize(
    ("named", "found", "others", "proven"),
    [
        (BY_NUMBER, [order("8"), FORMER], [], ["8", "7"]),
        (BY_NUMBER, [order("8", price=Decimal(7)), FORMER], [], ["8", "7"]),
        (BY_NUMBER, [order("8", "rejected"), FORMER], [], None),
        (BY_NUMBER, [FORMER], [NEWEST], ["8", "7"]),
        (BY_NUMBER, [FORMER], [replace(NEWEST, timestamp=BEGUN_MS - 60_001)], None),
        (BY_NUMBER, [FORMER], [replace(NEWEST, timestamp=None)], ["8", "7"]),
        (BY_NUMBER, [FORMER], [replace(NEWEST, timestamp=BEGUN_MS)], ["8", "7"]),
        (BY_NUMBER, [FORMER], [replace(NEWEST, client_order_id="b")], None),
        (BY_NUMBER, [FORMER], [replace(NEWEST, client_order_id="d")], None),
        (BY_NUMBER, [FORMER], [replace(NEWEST, price=Decimal(7))], None),
        (BY_NUMBER, [FORMER], [NEWEST, replace(FORMER, id="6", timestamp=1)], ["8", "7"]),
        (BY_NUMBER, [replace(FORMER, client_order_id=None)], [replace(NEWEST, client_order_id=None)], None),
        (BY_NUMBER, [replace(FORMER, status="open")], [NEWEST], None),
        (BY_NUMBER, [], [FORMER, NEWEST], None),
        ({"order_id": "8"}, [replace(NEWEST, status="canceled")], [FORMER], None),
        (BY_OUR_ID, [FORMER], [NEWEST], ["8", "7"]),
        (BY_OUR_ID, [NEWEST], [FORMER], ["8", "7"]),
        (BY_OUR_ID, [], [NEWEST, FORMER], ["8", "7"]),
        (BY_OUR_ID, [], [NEWEST], ["8"]),
        (BY_OUR_ID, [], [FORMER, replace(NEWEST, timestamp=BEGUN_MS - 60_001)], ["8"]),
        (BY_OUR_ID, [], [], None),
    ],
)
async def test_an_edit_is_proven_by_the_order_that_took_the_place_of_another(
    asking: Asking, named: dict[str, str], found: list[Order], others: list[Order], proven: list[str] | None
) -> None:
    """Under the id of the edit; or under that of the order, where the exchange keeps it, and made since it began."""
    edit = EditOrder(exchange_id="x", payload=EditPayload(symbol=KCS, price=Decimal(6), **named))
    listed, ended = ([each for each in others if each.is_final is is_final] for is_final in (False, True))
    resolver = asking.resolver(Answers(found, listed, ended), edit="cancel_replace", edit_client_order_id="existing")
    resolution = await resolver.ask_once(intent_of(edit, ago_ms=OVER))
    assert resolution is not None
    done = [each.id for each in resolution.seen] if resolution.answer.status == "done" else None
    assert done == proven


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"edit": "cancel_replace", "edit_client_order_id": "new"}, "canceled"),
        ({"edit": "amend", "edit_client_order_id": "existing"}, "canceled"),
        ({"edit": "unknown", "edit_client_order_id": "existing"}, "canceled"),
        ({"edit": "cancel_replace", "edit_client_order_id": "existing"}, "open"),
    ],
)
async def test_an_order_under_the_same_id_is_not_looked_for_in_vain(
    asking: Asking, terms: dict[str, str], status: str
) -> None:
    """Where an edit has an id of its own, or changes the order, or the order that it names by number is open."""
    answers = Answers([replace(FORMER, status=status)], [NEWEST])
    edit = EditOrder(exchange_id="x", payload=EditPayload(symbol=KCS, order_id="7", price=Decimal(6)))
    resolution = await asking.resolver(answers, **terms).ask_once(intent_of(edit, ago_ms=OVER))
    assert resolution is not None
    assert (resolution.answer.status, answers.asked) == ("failed", ["order", "open", "order"])


async def test_a_request_that_is_not_held_is_answered_by_its_verdict(asking: Asking) -> None:
    """If it has one; the exchange is not asked."""
    answers, verdict = Answers(), Response(OURS, "rejected")
    resolver = asking.resolver(answers)
    assert await resolver.ask_once(intent_of(None)) is None
    assert await resolver.ask_once(intent_of(None, verdict=verdict)) == module.Resolution(verdict)
    assert answers.asked == []


async def test_an_order_without_an_id_of_ours_is_asked_for_by_none(asking: Asking) -> None:
    """It is not taken for another that has none either."""
    answers = Answers(listed=[NAMELESS])
    assert await asking.resolver(answers).ask_once(intent_of(BUY, client_order_id=None)) is None


CANCEL_ALL = CancelAllOrders(exchange_id="x", payload=CancelAllPayload(symbol=KCS))


@pytest.mark.parametrize(
    ("ago_ms", "account", "listed", "status"),
    [
        (0, "keys", [], "done"),
        (NOT_YET, "keys", [order()], None),
        (OVER, "keys", [order()], "failed"),
        (OVER, "", [order()], "failed"),
        (OVER, "others", [], None),
    ],
)
async def test_a_cancel_all_is_proven_by_what_is_open_under_the_same_keys(
    asking: Asking, ago_ms: int, account: str, listed: list[Order], status: str | None
) -> None:
    """Other keys may be another account's, which has nothing open."""
    intent = intent_of(CANCEL_ALL, ago_ms=ago_ms, account=account)
    resolution = await asking.resolver(Answers(listed=listed)).ask_once(intent)
    assert (None if resolution is None else resolution.answer.status) == status


@pytest.mark.parametrize(("account", "status"), [("keys", "failed"), ("", "failed"), ("others", None)])
async def test_other_keys_prove_no_absence(asking: Asking, account: str, status: str | None) -> None:
    """The order may be another account's."""
    resolution = await asking.resolver(Answers()).ask_once(intent_of(BUY, ago_ms=OVER, account=account))
    assert (None if resolution is None else resolution.answer.status) == status


@pytest.mark.parametrize(("behind_ms", "timestamp"), [(0, BEGUN_MS), (7_200_000, BEGUN_MS - 7_200_000)])
async def test_an_order_is_as_old_as_the_exchanges_clock_says(asking: Asking, behind_ms: int, timestamp: int) -> None:
    """One that is hours older than its request is another's, unless that clock is hours behind."""
    answers = Answers(found=[order(timestamp=timestamp - 3_600_000)])
    answers.behind_ms = behind_ms
    resolution = await asking.resolver(answers).ask_once(intent_of(BUY))
    assert resolution is not None and resolution.answer.status == "done"
    answers.found = [order(timestamp=timestamp - 3_600_001)]
    assert await asking.resolver(answers).ask_once(intent_of(BUY)) is None
    answers.behind_ms = -7_200_000  # a clock that is ahead proves nothing: the order may be older
    for old_ms, is_found in ((3_600_000, True), (3_600_001, False)):
        answers.found = [order(timestamp=BEGUN_MS - old_ms)]
        assert (await asking.resolver(answers).ask_once(intent_of(BUY)) is not None) is is_found


VAIN = Retryable("a page", kind="BadResponse", is_vain=True, **ABOUT)


@pytest.mark.parametrize("failure", [REFUSED, Fatal("no", kind="PermissionDenied", **ABOUT), VAIN])
async def test_sixty_answers_that_prove_nothing_are_borne(asking: Asking, failure: Exception) -> None:
    """After the window, and in a row: an outage, which is no answer, begins the count anew."""
    answers = Answers()
    answers.failures = [failure] * 59 + [AWAY] + [failure] * 60
    resolver = asking.resolver(answers)
    cancels = intent_of(cancel(order_id="7"), ago_ms=OVER)
    with pytest.raises(Unresolvable, match=str(failure)) as given_up:
        await resolver.resolve(cancels)
    assert given_up.value.kind == failure.kind  # type: ignore[attr-defined]
    assert len(answers.asked) == 120
    assert asking.unknown == 1, "it stays unknown"
    assert asking.errors.reports()[-1].message.startswith(f"fetchOrder: {given_up.value.kind}: ")
    answers.found = [order(status="canceled")]
    assert (await resolver.resolve(cancels)).answer.status == "done"
    assert asking.unknown == 1


@pytest.mark.parametrize(("account", "why"), [("keys", module.AMBIGUOUS), ("others", module.OTHER_KEYS)])
async def test_why_a_request_stays_unknown_is_said(asking: Asking, account: str, why: str) -> None:
    """An order may be another's, or the keys may be."""
    resolver = asking.resolver(Answers(listed=[NAMELESS]))
    with pytest.raises(Unresolvable) as given_up:
        await resolver.resolve(intent_of(BUY, ago_ms=OVER, account=account))
    assert (str(given_up.value), given_up.value.kind) == (why, "OperationFailed")
    assert len(asking.pauses_s) == 59
    assert asking.errors.reports() == []


async def test_a_question_is_asked_again_after_a_pause_that_ends_with_the_window(asking: Asking) -> None:
    """An answer that proves nothing before is not in vain."""
    resolver = asking.resolver(Answers(listed=[NAMELESS]))
    with pytest.raises(Unresolvable):
        await resolver.resolve(intent_of(BUY, sent_by=BEGUN_MS - WINDOW_MS + 600))
    assert [round(each, 6) for each in asking.pauses_s[:4]] == [0.25, 0.25, 0.1, 0.0]
    assert len(asking.pauses_s) == 4 + 59


async def test_pauses_are_the_longer_the_more_requests_are_unknown(asking: Asking) -> None:
    """A quarter of a second each: the second request is unknown when it is asked again."""
    answers = Answers([order(status="canceled")])
    answers.failures = [AWAY, AWAY]
    resolver = asking.resolver(answers)
    await asyncio.gather(*(resolver.resolve(intent_of(cancel(order_id="7"))) for _ in range(2)))
    assert asking.pauses_s == [0.25, 0.5]
    assert asking.unknown == 0


async def test_a_pause_that_the_exchange_wants_is_kept(asking: Asking) -> None:
    """However long it is."""
    answers = Answers([order(status="canceled")])
    answers.failures = [Retryable("slow", kind="RateLimitExceeded", retry_after_ms=40_000, **ABOUT), AWAY]
    resolution = await asking.resolver(answers).resolve(intent_of(cancel(order_id="7")))
    assert resolution.answer.status == "done"
    assert asking.pauses_s == [40.0, 0.0]
    assert asking.unknown == 0


async def test_an_order_that_a_request_names_may_not_be_shown(asking: Asking) -> None:
    """The account's errors say why."""
    answers, payload = Answers([order()]), CancelPayload(symbol=KCS, client_order_id=OURS)
    resolver = asking.resolver(answers)
    assert await resolver.order_named(payload) == order()
    answers.failures = [AWAY]
    assert await resolver.order_named(payload) is None
    assert asking.errors.reports()[-1].message == "fetchOrder: NetworkError: away"
