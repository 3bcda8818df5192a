"""Resolves unknown outcomes: asks the exchange until it proves what became of a request. Nothing is sent again."""

import asyncio
from typing import NamedTuple

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import Clock, now_ms
from millrace_core.errors import MillraceError
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    Request,
)
from millrace_exchange import Exchange, ExchangeError, Fatal, OrderQueries, Rejected, Retryable
from millrace_executor.answering.intents import Intent
from millrace_executor.resolution.rules import Findings, conclude, is_replacement, may_be
from millrace_executor.resolution.shared_questions import SharedQuestions
from millrace_service import UnitHealthReporter

ASK_AGAIN = BackoffPolicy(first_s=0.25, limit_s=5.0)
VAIN_ANSWERS_BORNE = 60
"""Answers in a row after the settlement window that may refuse or prove nothing, before no more are asked for: five
minutes of them, since a page of maintenance may stand there for a while. A failure to answer is none of them."""
EACH_UNKNOWN_S = 0.25
"""How much longer a pause is for every unknown request: all their questions then take a sixth of Binance's limit."""
CLOCK_SLACK_MS = 60_000
"""Allowed clock difference to the exchange when its trades are searched."""

AMBIGUOUS = "an order that may be the one has no id of ours, or has it and is older or of the other side"
OTHER_KEYS = "it was sent with other keys, which may be another account's: that these know no such order proves nothing"

log = structlog.get_logger()


class Resolution(NamedTuple):
    """What the exchange proved about a request."""

    answer: Response
    """The final answer."""
    seen: tuple[Order, ...] = ()
    """Orders that it showed besides those in the answer: what Redis holds of them may be older."""


class Found(NamedTuple):
    """What the exchange shows of the order that a request is about."""

    order: Order | None = None
    is_ours: bool = False
    """Whether it carries the id of an edit, so that no other request made it."""
    nameless: Order | None = None
    """One without any id of ours that may be it."""
    former: Order | None = None
    """The one that it took the place of."""


class Unresolvable(MillraceError):
    """The exchange answers, and does not say what became of a request; `error` is its last answer, if that was one."""

    def __init__(self, error: ExchangeError | None, why: str = AMBIGUOUS) -> None:
        super().__init__(why if error is None else str(error))
        self.kind = "OperationFailed" if error is None else error.kind
        """Name of ccxt's class for it."""


class Resolver:
    """Asks one account's exchange about requests."""

    def __init__(
        self, exchange: Exchange, health: UnitHealthReporter, clock_ms: Clock = now_ms, account: str = ""
    ) -> None:
        """`clock_ms` is the clock by which intents began and were marked as unknown; `account` is that of new ones."""
        self._account = account
        self._clock_ms = clock_ms
        self._exchange = exchange
        self._orders: OrderQueries = exchange.execution
        self._shared = SharedQuestions(exchange.execution)
        profile = exchange.profile
        self._settlement_window_ms = profile.settlement_window_ms
        self._ids = profile.client_order_ids
        self._replaces_under_same_id = profile.edit == "cancel_replace" and profile.edit_client_order_id == "existing"
        self._health = health
        self._unknown = 0

    async def resolve(self, intent: Intent) -> Resolution:
        """Ask about an intent that is marked unknown until its final answer is proven, and return that.

        Raises:
            Unresolvable: the exchange answers again and again, and proves nothing. The request stays unknown.
        """
        self._count_unknown(1)
        still_unknown = 0
        try:
            resolution = await self._until_proven(intent)
        except Unresolvable as error:
            still_unknown = 1
            log.warning("a request stays unknown", request_id=intent.request_id, cause=str(error))
            raise
        finally:
            self._count_unknown(still_unknown - 1)
        log.info("resolved the outcome of a request", request_id=intent.request_id, status=resolution.answer.status)
        return resolution

    async def ask_once(self, intent: Intent) -> Resolution | None:
        """Ask once; return the final answer if that proves it.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        request = intent.request
        if request is None:
            return None if intent.verdict is None else Resolution(intent.verdict)
        # Read before asking: absence proves something only if the exchange answered after the window.
        is_other = self._is_of_other_keys(intent)
        window_over = self._is_window_over(intent) and not is_other
        found, begun_ms = Found(), self._begun_ms(intent)
        if not isinstance(request, CancelAllOrders):
            found = await self._found(request, intent.client_order_id or "", begun_ms, window_over=window_over)
            findings = Findings(window_over, found.order, found.is_ours, found.nameless, begun_ms)
        elif is_other:
            return None
        else:
            still_open = await self._shared.open_orders(request.payload.symbol)
            findings = Findings(window_over, still_open=tuple(still_open))
        answer = conclude(intent.request_id, request, findings)
        seen = tuple(each for each in (found.order, found.former) if each is not None)
        return None if answer is None else Resolution(answer, seen)

    def report(self, error: ExchangeError) -> None:
        """Show in the account's heartbeat what the exchange did."""
        self._health.error(f"{error.action}: {error.kind}: {error}")

    async def order_named(self, payload: CancelPayload | EditPayload) -> Order | None:
        """Return the order that a payload names, as the exchange shows it now; None if it does not."""
        try:
            return await self._named(payload)
        except ExchangeError as error:
            self.report(error)
            return None

    def _begun_ms(self, intent: Intent) -> int:
        """Return when a request began by the exchange's clock, or earlier."""
        exchange_ms = now_ms() + self._exchange.clock_offset_ms()
        return intent.begun_at + min(exchange_ms - self._clock_ms(), 0)

    def _is_of_other_keys(self, intent: Intent) -> bool:
        return intent.account not in ("", self._account)

    def _is_window_over(self, intent: Intent) -> bool:
        return self._left_ms(intent) < 0

    async def _until_proven(self, intent: Intent) -> Resolution:
        backoff, vain = Backoff(ASK_AGAIN), 0
        while True:
            window_over = self._is_window_over(intent)
            error: ExchangeError | None = None
            try:
                if resolution := await self.ask_once(intent):
                    return resolution
            except ExchangeError as failure:
                self.report(failure)
                error = failure
            vain = vain + 1 if window_over and _is_answered(error) else 0
            if vain >= VAIN_ANSWERS_BORNE:
                raise Unresolvable(error, OTHER_KEYS if self._is_of_other_keys(intent) else AMBIGUOUS)
            pause_s = 0.0 if error is None else error.retry_after_s
            await asyncio.sleep(self._pause_s(intent, backoff.failed(at_least_s=pause_s)))

    def _pause_s(self, intent: Intent, pause_s: float) -> float:
        """Return how long to wait before the next question: the more are unknown the longer, up to the window's end."""
        return max(pause_s, min(self._unknown * EACH_UNKNOWN_S, self._left_ms(intent) / 1000))

    def _left_ms(self, intent: Intent) -> int:
        """Return how long the settlement window lasts yet."""
        now_ms = self._clock_ms()
        return (intent.sent_by or now_ms) + self._settlement_window_ms - now_ms

    async def _found(self, request: Request, our_id: str, begun_ms: int, *, window_over: bool) -> Found:
        """Return the order that a request is about, as far as the exchange shows it."""
        match request:
            case CreateOrder(payload=create):
                return await self._created(create, our_id, begun_ms, window_over=window_over)
            case CancelOrder(payload=cancel):
                return Found(await self._to_cancel(cancel, begun_ms))
            case EditOrder(payload=edit):
                return await self._edited(edit, our_id, begun_ms)
        return Found()

    async def _created(self, create: CreatePayload, our_id: str, begun_ms: int, *, window_over: bool) -> Found:
        order = nameless = None
        since_ms = begun_ms - CLOCK_SLACK_MS
        if window_over:
            # First, since all share it: while it is held back, nothing is spent on each alone.
            # Since it began: who took it over says of it only that it was sent before then.
            order, nameless = await self._by_own_trades(create, our_id, since_ms)
        if order is None:
            order = await self._by_our_id(create.symbol, our_id)
        if order is None and window_over and not self._ids.finds_closed:
            # It may have been canceled since, before any of it was filled.
            ended = await self._shared.closed_orders(create.symbol, since_ms)
            order = next((each for each in ended if each.client_order_id == our_id), None)
        return Found(order, nameless=nameless)

    async def _to_cancel(self, cancel: CancelPayload, begun_ms: int) -> Order | None:
        order = await self._named(cancel)
        if order is not None or cancel.order_id is not None or self._ids.finds_closed:
            return order
        # By our id, one that is canceled is not found any more.
        ended = await self._shared.closed_orders(cancel.symbol, begun_ms - CLOCK_SLACK_MS)
        same = [each for each in ended if each.client_order_id == cancel.client_order_id]
        return max(same, key=lambda each: each.timestamp or 0, default=None)

    async def _edited(self, edit: EditPayload, our_id: str, begun_ms: int) -> Found:
        replaced, named = await self._by_our_id(edit.symbol, our_id), await self._named(edit)
        # Named by our id, an order that is open may be the one in question, or the one that took its place.
        is_open = named is not None and not named.is_final and edit.order_id is not None
        if replaced is None and self._replaces_under_same_id and not is_open:
            named, replaced = await self._under_same_id(edit, named, begun_ms - CLOCK_SLACK_MS)
        if replaced is None or replaced.status == "rejected":
            return Found(named)
        return Found(replaced, is_ours=True, former=named)

    async def _under_same_id(
        self, edit: EditPayload, named: Order | None, since_ms: int
    ) -> tuple[Order | None, Order | None]:
        """Return an order, and the one that took its place under the same id of ours; None for what is not shown."""
        our_id = edit.client_order_id if named is None else named.client_order_id
        shown = await self._shared.open_orders(edit.symbol) + await self._shared.closed_orders(edit.symbol, since_ms)
        shown += [] if named is None else [named]
        same = {each.id: each for each in shown if our_id is not None and each.client_order_id == our_id}
        # By our id the exchange may show either.
        by_time = sorted(same.values(), key=lambda each: each.timestamp or since_ms)
        if named is None and by_time:
            named = by_time[-1]
        if named is None or len(by_time) < 2:
            return named, None
        former, newest = by_time[-2:]
        is_later = newest.id != edit.order_id and (newest.timestamp or since_ms) >= since_ms
        # An edit before this one may have made it.
        return (former, newest) if is_later and is_replacement(newest, former, edit) else (named, None)

    async def _named(self, payload: CancelPayload | EditPayload) -> Order | None:
        return await self._orders.fetch_order(
            payload.symbol, order_id=payload.order_id, client_order_id=payload.client_order_id
        )

    async def _by_our_id(self, symbol: str, client_order_id: str) -> Order | None:
        order = await self._orders.fetch_order(symbol, client_order_id=client_order_id)
        if order is not None:
            return order
        still_open = await self._shared.open_orders(symbol)
        return next((each for each in still_open if each.client_order_id == client_order_id), None)

    async def _by_own_trades(
        self, create: CreatePayload, our_id: str, since_ms: int
    ) -> tuple[Order | None, Order | None]:
        """Return the order under our id, found by its trades; or one without a client order id that may be it."""
        candidates = await self._shared.orders_of_own_trades(create, our_id, since_ms)
        ours = next((order for order in candidates if order.client_order_id == our_id), None)
        candidates += await self._shared.open_orders(create.symbol)
        return ours, next((order for order in candidates if may_be(order, create, since_ms)), None)

    def _count_unknown(self, by: int) -> None:
        self._unknown += by
        self._health.gauge("unknown", self._unknown)


def _is_answered(error: ExchangeError | None) -> bool:
    """Tell whether a question that settled nothing was answered at all."""
    return error is None or isinstance(error, Rejected | Fatal) or (isinstance(error, Retryable) and error.is_vain)
