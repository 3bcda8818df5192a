"""What the sender makes of each meaning of an exchange's answer."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from millrace_bus import Arrived
from millrace_core.backoff import BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.messages import Response, encode
from millrace_core.names import Tenant
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelAllPayload,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    Request,
)
from millrace_core.trace import Trace
from millrace_exchange import (
    Acknowledgement,
    Exchange,
    ExchangeError,
    Fatal,
    OutcomeUnknown,
    Rejected,
    Retryable,
)
from millrace_executor.accepted_request import AcceptedRequest, read
from millrace_executor.answering.intents import Intent, intent_of
from millrace_executor.answering.responder import Responder
from millrace_executor.execution import order_sender
from millrace_executor.execution.order_sender import OrderSender
from millrace_executor.intake.order_queue import OrderQueue
from millrace_executor.resolution.resolver import Resolution, Resolver, Unresolvable
from millrace_executor.risk import Approved
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

ORDER = CreateOrder(
    exchange_id="binance",
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(25)),
)
PLACED = Acknowledgement((Order(id="7"),), 1, 2)
ABOUT = {"exchange": "binance", "action": "createOrder"}
LIMITED = Retryable("too many requests", kind="DDoSProtection", retry_after_ms=0, **ABOUT)
NO_FUNDS = Rejected("no funds", kind="InsufficientFunds", **ABOUT)
LOST = OutcomeUnknown("no answer", kind="RequestTimeout", **ABOUT)
REVOKED = Fatal("the key was revoked", kind="PermissionDenied", **ABOUT)


class Account:
    """An exchange's account whose answers are scripted, and what else the sender works with."""

    def __init__(self, *script: Acknowledgement | ExchangeError) -> None:
        self._script = list(script)
        self.execution = self
        self.sent = 0
        self.said: list[str] = []
        """What was published of the request, in order."""
        self.seen: list[str] = []
        """Further orders that were written."""
        self.refusal: Unresolvable | None = None
        """Why nothing becomes known of a request."""
        self.shown = "open"
        """How the exchange shows an order that could not be canceled."""
        self.halted_after: int | None = None
        """From so many tries on the request must not be sent any more."""

    async def create_order(self, payload: CreatePayload, client_order_id: str, check: object) -> Acknowledgement:
        """Return or raise what comes next in the script."""
        self.sent += 1
        outcome = self._script.pop(0)
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    def stop_reason(self, accepted: AcceptedRequest) -> Response | None:
        """Reject once the halt is in force."""
        if self.halted_after is not None and self.sent >= self.halted_after:
            return accepted.error_answer("rejected", "Halted", "all trading of this tenant is halted")
        return None

    async def finish(self, intent: Intent, answer: Response, trace: Trace, seen: Sequence[Order]) -> None:
        """Note the final answer, and the further orders."""
        self.said.append(answer.status)
        self.answer = answer
        self.seen += [order.id for order in seen]

    async def mark_unresolved(self, intent: Intent, kind: str, message: str) -> None:
        """Note that nothing more is asked."""
        self.said.append(f"unknown: {kind}")

    async def mark_unknown(self, intent: Intent, kind: str, message: str) -> Intent:
        """Note the provisional answer."""
        self.said.append("unknown")
        return intent.marked_unknown(now_ms())

    async def resolve(self, intent: Intent) -> Resolution:
        """Find the order at once, or be refused."""
        assert intent.state == "unknown"
        if self.refusal is not None:
            raise self.refusal
        return Resolution(Response(intent.request_id, "done", order=Order(id="7")), (Order(id="6"),))

    async def order_named(self, payload: CancelPayload) -> Order:
        """Show the order as it is."""
        return Order(id="7", symbol=payload.symbol, status=self.shown)

    def fatal(self, error: Fatal) -> None:
        """Note why the account cannot trade."""
        self.refused_key = str(error)

    def report(self, error: ExchangeError) -> None:
        """The heartbeat is not looked at here."""


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait between two tries."""
    monkeypatch.setattr(order_sender, "TRY_AGAIN", BackoffPolicy(first_s=0, limit_s=0))


def accepted(request: Request) -> AcceptedRequest:
    """Return a request as the executor accepts it."""

    async def acknowledge() -> None:
        """Nothing has to be acknowledged here."""

    arrived = Arrived(Tenant("StrankaXY"), encode(request), "1-0", "1-0", now_ms(), 0)
    read_request = read(arrived, acknowledge, lambda accepted, answer: None)
    assert isinstance(read_request, AcceptedRequest)
    return read_request


def sender_of(account: Account, queue: OrderQueue) -> OrderSender:
    """Return the sender of an account."""
    return OrderSender(
        cast(Exchange, account),
        queue,
        cast(Responder, account),
        cast(Resolver, account),
        account.stop_reason,
        account.fatal,
        UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog()),
    )


async def sent_through(account: Account) -> OrderSender:
    """Send one order through a sender; return the sender."""
    queue, order = OrderQueue(), accepted(ORDER)
    sender = sender_of(account, queue)
    intent = intent_of(order, now_ms(), client_order_id=order.request_id)
    await sender.execute(order, intent, Approved(ORDER), queue.enter(ORDER, order.request_id))
    return sender


@pytest.mark.parametrize(
    ("script", "sent", "said"),
    [
        ([PLACED], 1, ["done"]),
        ([NO_FUNDS], 1, ["rejected"]),
        ([LIMITED, LIMITED, PLACED], 3, ["done"]),
        ([LOST], 1, ["unknown", "done"]),
        ([LIMITED, LOST], 2, ["unknown", "done"]),
        ([REVOKED], 1, ["failed"]),
    ],
)
async def test_only_what_was_certainly_not_done_is_sent_again(
    script: Sequence[Any], sent: int, said: list[str]
) -> None:
    """A request is tried again after a `Retryable` alone; an unknown outcome is resolved by asking."""
    account = Account(*script)
    await sent_through(account)
    assert (account.sent, account.said) == (sent, said)


async def test_a_halt_between_two_tries_ends_them() -> None:
    """A request that must not be sent any more is not tried again, though it is still valid."""
    account = Account(LIMITED, PLACED)
    account.halted_after = 1
    await sent_through(account)
    assert (account.sent, account.said) == (1, ["rejected"])


async def test_nothing_is_sent_that_was_halted_during_the_claim() -> None:
    """The claim may wait out an outage of Redis: halts are checked again after it."""
    account = Account(PLACED)
    account.halted_after = 0
    await sent_through(account)
    assert (account.sent, account.said) == (0, ["rejected"])


async def test_a_revoked_key_stops_the_account() -> None:
    """Whoever halts it learns why."""
    account = Account(REVOKED)
    await sent_through(account)
    assert account.refused_key == "the key was revoked"


async def test_what_was_seen_beside_the_answer_is_written_too() -> None:
    """The order that an edit replaced has ended: its hash must not stay open."""
    replaced, lost = Account(PLACED._replace(ended=(Order(id="5"),))), Account(LOST)
    await sent_through(replaced)
    await sent_through(lost)
    assert (replaced.seen, lost.seen) == (["5"], ["6"])


async def test_what_the_exchange_refuses_to_say_stays_unknown() -> None:
    """It is told, and never becomes `failed` without proof."""
    account = Account(LOST)
    account.refusal = Unresolvable(NO_FUNDS)
    await sent_through(account)
    assert account.said == ["unknown", "unknown: InsufficientFunds"]


class _Sweeping(Account):
    """Its cancel-all finds order 7 of ETH/USDT; what is cancelled by itself is noted."""

    def __init__(self, *failures: ExchangeError) -> None:
        super().__init__()
        self.canceled: list[str] = []
        self._failures = list(failures)
        self.sweeps = 0
        self.answer_is_lost = False
        self.parts: list[ExchangeError] = []
        """What it fails with after a part was done, one after the other."""
        self.swept = asyncio.Event()

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel what is open."""
        self.sweeps += 1
        self.swept.set()
        if self.answer_is_lost:
            raise LOST
        if self.parts:
            raise self.parts.pop(0)
        return Acknowledgement((Order(id="7", symbol="ETH/USDT", status="canceled"),), 1, 2)

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel one order, once nothing fails any more."""
        if self._failures:
            raise self._failures.pop(0)
        self.canceled.append(payload.symbol)
        return Acknowledgement((Order(id="7", symbol=payload.symbol, status="canceled"),), 1, 2)


async def test_an_order_placed_during_a_cancel_all_is_cancelled_though_another_has_its_number() -> None:
    """Another symbol's order of the same number was cancelled with the rest; this one is still open."""
    account = _Sweeping()
    assert await swept_during(account, ORDER) == "done"
    assert account.canceled == ["KCS/USDT"]


async def test_an_order_that_an_edit_places_during_a_cancel_all_is_cancelled_too() -> None:
    """The former one may be gone when all are cancelled, and the new one not there yet."""
    account = _Sweeping()
    edit = EditPayload(symbol="KCS/USDT", order_id="6", price=Decimal(24))
    assert await swept_during(account, EditOrder(exchange_id="binance", payload=edit)) == "done"
    assert account.canceled == ["KCS/USDT"]


async def test_not_all_orders_are_cancelled_again_because_of_a_late_one() -> None:
    """Orders that were requested since are there by then: the late one alone is tried again."""
    account = _Sweeping(LIMITED, LOST)
    assert await swept_during(account, ORDER) == "done"
    assert (account.canceled, account.sweeps) == (["KCS/USDT"], 1)


@pytest.mark.parametrize(("shown", "said"), [("open", ["unknown", "done"]), ("closed", ["done"])])
async def test_a_late_order_whose_cancel_is_refused_is_looked_at(shown: str, said: list[str]) -> None:
    """It may have been filled. If it is still open, not all are cancelled."""
    account = _Sweeping(NO_FUNDS)
    account.shown = shown
    await swept_during(account, ORDER)
    assert account.said == said


async def test_an_order_under_way_is_cancelled_though_the_cancel_alls_answer_was_lost() -> None:
    """The exchange shows no open order at that moment; the one on its way would be open later."""
    account = _Sweeping()
    account.answer_is_lost = True
    assert await swept_during(account, ORDER) == "done"
    assert account.canceled == ["KCS/USDT"]


def part_done(error: type[ExchangeError], order_id: str, **terms: Any) -> ExchangeError:
    """Return why a cancel-all failed after it canceled an order."""
    failure = error("held back", kind="RateLimitExceeded", **terms, **ABOUT)
    failure.canceled = (Order(id=order_id, symbol="ETH/USDT", status="canceled"),)
    return failure


@pytest.mark.parametrize(
    ("parts", "status", "canceled"),
    [
        ([part_done(Retryable, "1"), part_done(Retryable, "2", retry_after_ms=60_000)], "failed", ["1", "2"]),
        ([part_done(Rejected, "1")], "rejected", ["1"]),
        ([part_done(Retryable, "1")], "done", ["1", "7"]),
        ([part_done(OutcomeUnknown, "1")], "done", ["1"]),
    ],
    ids=["until it is not valid any more", "refused", "then done", "unknown"],
)
async def test_an_answer_to_a_cancel_all_tells_what_every_try_canceled(
    parts: list[ExchangeError], status: str, canceled: list[str]
) -> None:
    """Whatever became of the rest: people and programs go on from there."""
    account = _Sweeping()
    account.parts = list(parts)
    queue, sweep = OrderQueue(), accepted(CancelAllOrders(exchange_id="binance"))
    what = cast(CancelAllOrders, sweep.request)
    await sender_of(account, queue).execute(sweep, intent_of(sweep, now_ms()), what, queue.enter(what, ""))
    assert account.answer.status == status
    assert [order.id for order in account.answer.orders or []] == canceled


async def test_an_order_that_was_asked_for_after_a_cancel_all_stays_open() -> None:
    """Both came at once: by the time that all are cancelled, the new order waits already."""
    account = _Sweeping()
    assert await swept_during(account, ORDER, is_after=True) == "done"
    assert account.canceled == []


async def swept_during(account: _Sweeping, placement: Request, *, is_after: bool = False) -> str:
    """Cancel all orders while a request is being carried out that makes order 7 of KCS/USDT; return the last status.

    `is_after`: it was asked for after the cancel-all.
    """
    queue, sweep = OrderQueue(), accepted(CancelAllOrders(exchange_id="binance"))
    entering = ((sweep.request, sweep.request_id), (placement, "ours"))
    turns = [queue.enter(*each) for each in (entering if is_after else reversed(entering))]
    turn, placing = turns if is_after else reversed(turns)
    what = cast(CancelAllOrders, sweep.request)
    sending = asyncio.create_task(sender_of(account, queue).execute(sweep, intent_of(sweep, now_ms()), what, turn))
    await account.swept.wait()
    queue.answered(placing, Order(id="7", symbol="KCS/USDT", status="open"))
    placing.end()
    await sending
    return account.said[-1]
