"""A replay: a strategy decides again on its recorded run, and what it decides is compared with what it did then.

Answers, own orders and balances come as they were recorded, at their recorded places among all messages. So a strategy
whose code, settings and events are the same decides the same. Two things of a live run are not recorded: the moment at
which one of its timers fired among messages that arrived within the same milliseconds, and which changes of a book were
merged into one event because they were read at once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from millrace_backtest.backtest import Backtest, DecidedRequest
from millrace_backtest.recording.files import Recording, merged
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.scan import Scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_core.errors import InvalidMessage
from millrace_core.messages import decode
from millrace_core.names import is_snapshot
from millrace_core.requests import OrderRequest, action_of
from millrace_core.trace import Trace


class Decision(NamedTuple):
    """What a request asks for: what must be the same for two requests to be the same decision."""

    action: str
    symbol: str | None
    side: str | None
    amount: str | None
    price: str | None

    @classmethod
    def of(cls, request: OrderRequest) -> "Decision":
        """Return the decision of a request."""
        payload: Any = request.payload
        amount = getattr(payload, "amount_base", None) or getattr(payload, "amount_quote", None)
        price = getattr(payload, "price", None)
        return cls(
            action_of(request),
            payload.symbol,
            getattr(payload, "side", None),
            None if amount is None else f"{amount.normalize():f}",
            None if price is None else f"{price.normalize():f}",
        )

    def __str__(self) -> str:
        return " ".join(part for part in self if part is not None)


class Cause(NamedTuple):
    """The message on which a strategy decided."""

    at_ns: int
    name: str
    id: str
    body: str


class Difference(NamedTuple):
    """The first decision that is not the same; None where one of the two runs made no further decision."""

    number: int
    """Counted from 1."""
    recorded: OrderRequest | None
    now: DecidedRequest | None
    recorded_cause: Cause | None
    now_cause: Cause | None


class Replayed(NamedTuple):
    """Two runs compared."""

    recorded: Sequence[OrderRequest]
    now: Sequence[DecidedRequest]
    difference: Difference | None

    @property
    def same(self) -> int:
        """Return how many decisions are the same, up to the first difference."""
        return len(self.now) if self.difference is None else self.difference.number - 1


async def replay(
    plan: BacktestedStrategy, sources: Sequence[Recording], scanned: Scan, since_ns: int | None = None
) -> Replayed:
    """Let a strategy decide again on its recorded run; `since_ns` is when it started, None with the recording."""
    backtest = Backtest([plan], sources, BacktestSettings(exchange="recorded", since_ns=since_ns), scanned)
    await backtest.run()
    recorded, now = scanned.decided_by(plan.tenant, plan.name), backtest.requests
    return Replayed(recorded, now, _difference(recorded, now, sources))


def first_difference(recorded: Sequence[OrderRequest], now: Sequence[DecidedRequest]) -> int | None:
    """Return the index of the first decision that is not the same; None if all are."""
    for index, (then, again) in enumerate(zip(recorded, now, strict=False)):
        if Decision.of(then) != Decision.of(again.request):
            return index
    return None if len(recorded) == len(now) else min(len(recorded), len(now))


def _difference(
    recorded: Sequence[OrderRequest], now: Sequence[DecidedRequest], sources: Sequence[Recording]
) -> Difference | None:
    index = first_difference(recorded, now)
    if index is None:
        return None
    then = recorded[index] if index < len(recorded) else None
    again = now[index] if index < len(now) else None
    traces = [None if then is None else then.trace, None if again is None else again.request.trace]
    return Difference(index + 1, then, again, *_causes(traces, sources))


def _causes(traces: Sequence[Trace | None], sources: Sequence[Recording]) -> list[Cause | None]:
    """Return the message of each trace: that which its writer published at that very time."""
    wanted = {trace.published: index for index, trace in enumerate(traces) if trace is not None and trace.published}
    found: list[Cause | None] = [None] * len(traces)
    for recorded in merged(sources) if wanted else ():
        if not isinstance(recorded.what, RecordedMessage) or is_snapshot(recorded.name):
            continue
        try:
            published = decode(recorded.what.body).trace.published
        except InvalidMessage:
            continue
        for index, trace in enumerate(traces):
            if published is not None and trace is not None and trace.published == published:
                body = bytes(recorded.what.body).decode()
                found[index] = found[index] or Cause(recorded.at_ns, recorded.name, recorded.what.id, body)
    return found
