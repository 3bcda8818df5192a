"""One run of a strategy, repeated input by input: the code, the routing and the runtime that magicbox runs live."""

from collections.abc import Callable
from typing import Any, Final

from millrace_backtest.replay.host import ReplayHost
from millrace_backtest.replay.recorded_run import RecordedInput
from millrace_backtest.replay.recorded_stream import Applied, RecordedStream
from millrace_backtest.strategy_log import strategy_log
from millrace_bus import Update, UpdateListener
from millrace_bus.reading.updates import FollowerStatus, UpdateKind
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.ids import MessageId
from millrace_core.messages import Status
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import OrderRequest
from millrace_core.strategy_inputs import (
    HOOK_RESUMED,
    NEXT_TURN,
    CallMade,
    HookCancelled,
    HookCutOff,
    MessageTaken,
    OrderFound,
    RecordRestored,
    RequestAnswered,
    StrategyMade,
    StrategyReplaced,
    StrategyStarted,
    StrategyStopped,
)
from millrace_core.trace import NO_TRACE
from millrace_magicbox.routing import answer_listener, stream_listener
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_strategy import Runtime, SavedStrategy, Strategy, SubscribedStream, read_configuration

_STATES: Final = ("snapshot", "untrusted")
Loader = Callable[[str], type[Strategy]]
"""Returns the strategy of a plugin's name."""


class _Followed:
    """A stream that the run follows, where it stands, and what listens."""

    def __init__(self, recorded: RecordedStream, listener: UpdateListener) -> None:
        self.recorded, self.listener = recorded, listener
        self.last: MessageId | None = None
        self.status: FollowerStatus = "unknown"


class ReplayedRun:
    """A run that is repeated. `recorded` returns a stream by its name."""

    def __init__(
        self,
        tenant: Tenant,
        name: str,
        load: Loader,
        recorded: Callable[[str], RecordedStream],
        names: dict[int, str],
        configuration: dict[str, Any] | None,
    ) -> None:
        self._tenant, self._name, self._load, self._recorded = tenant, name, load, recorded
        self._names, self._configuration = names, configuration
        self._followed: dict[int, _Followed] = {}
        self._streams: tuple[SubscribedStream, ...] = ()
        self._health = UnitHealthReporter(name, changed=lambda: None, errors=ErrorLog())
        self._plugin_name = ""
        self.place: MessageId | None = None
        """The place of the message that is the present input; None if that is no message."""
        self.host = ReplayHost(self._send)
        self.runtime: Runtime
        self.decided: list[OrderRequest] = []
        """What it asked for during the present input."""
        self.answer_at_once: Callable[[OrderRequest], RecordedInput | None] = lambda _: None
        """Returns the input that answered a request before the call returned that sent it, and counts it as taken."""

    def is_known(self, each: RecordedInput) -> bool:
        """Tell whether the recording has come as far as an input."""
        number = each.what.stream if isinstance(each.what, MessageTaken) else each.what
        if not isinstance(number, int) or number < 0:
            return True
        followed = self._stream(number)
        place = self._place(followed, each)
        if place is None or (not followed.recorded.name.has_snapshots and not _is_message(each)):
            return True
        return followed.recorded.is_known_to(place)

    async def take(self, each: RecordedInput) -> None:
        """Repeat an input.

        Raises:
            NotRecorded: the recording lacks what it names.
        """
        self.decided, self.place = [], None
        self.host.begin(each.clock, each.monotonic, each.request_ids)
        if each.what == HOOK_RESUMED:
            await self.host.resume_hook()
        elif isinstance(each.what, int | MessageTaken):
            self._take_message(each)
        else:
            self._act(each.what)
        self.host.check_calls()
        await self.host.let_tasks_run()

    def _act(self, what: Any) -> None:
        match what:
            case CallMade():
                self.host.call(what.number, what.after)
            case OrderFound():
                self.runtime.order_found(what.record)
            case RequestAnswered():
                self._answered(what)
            case StrategyReplaced():
                self._replace(what)
            case HookCancelled():
                self.host.cancel_hook()
            case HookCutOff():
                self.runtime.cut_off()
            case _:
                self._act_once(what)

    def _act_once(self, what: Any) -> None:
        match what:
            case StrategyMade():
                self._make(what)
            case RecordRestored():
                saved = (None if text is None else text.encode() for text in (what.state, what.positions))
                self.runtime.restore(SavedStrategy(*saved))
            case StrategyStarted():
                self.runtime.start(what.orders)
            case StrategyStopped():
                self.runtime.stop()

    def _make(self, what: StrategyMade) -> None:
        self._plugin_name = what.plugin_name
        self._streams = tuple(
            SubscribedStream(
                ExchangeId(exchange), None if symbol is None else Symbol(symbol), Action(action), is_public
            )
            for exchange, symbol, action, is_public in what.streams
        )
        strategy = self._load(what.plugin_name)
        self.runtime = Runtime(
            strategy,
            name=self._name,
            configuration=self._settings(strategy, what.configuration),
            streams=self._streams,
            host=self.host,
            limits=StrategyLimits.model_validate(what.limits),
            log=strategy_log(self._name, self.host.last_ns),
        )

    def _replace(self, what: StrategyReplaced) -> None:
        strategy = self._load(self._plugin_name)
        settings = self._settings(strategy, what.configuration)
        self.runtime.replace(strategy, settings, rolled_back=lambda _: None)

    def _settings(self, strategy: type[Strategy], recorded: dict[str, Any]) -> Any:
        values = recorded if self._configuration is None else self._configuration
        return read_configuration(strategy.Configuration, values)

    def _send(self, request: OrderRequest) -> None:
        self.decided.append(request)
        if (answer := self.answer_at_once(request)) is not None and isinstance(answer.what, RequestAnswered):
            self.host.begin(answer.clock, answer.monotonic, answer.request_ids)
            self._answered(answer.what)

    def _answered(self, what: RequestAnswered) -> None:
        symbol = None if what.symbol is None else Symbol(what.symbol)
        self.runtime.response(ExchangeId(what.exchange), Action(what.action), symbol, what.response)

    def _take_message(self, each: RecordedInput) -> None:
        if each.what == NEXT_TURN:
            self.host.next_turn()
            return
        what = each.what if isinstance(each.what, MessageTaken) else None
        followed = self._stream(each.what if what is None else what.stream)  # type: ignore[arg-type]  # a number
        place = self._place(followed, each)
        applied = None if place is None else followed.recorded.move(place, is_message=_is_message(each))
        followed.last = self.place = place
        if what is not None:
            followed.status = what.status  # type: ignore[assignment]  # one of them, as it was written
        followed.listener(self._update(followed, what, applied))

    def _update(self, followed: _Followed, what: MessageTaken | None, applied: Applied | None) -> Update:
        name, place = followed.recorded.name, followed.last
        state, market = followed.recorded.state, followed.recorded.market
        trusted = what is None or what.trusted
        if what is not None and (what.kind in _STATES or applied is None):
            data = Status("stale", what.reason) if what.kind == "status" else None
            return Update(name, place, what.kind, data, state, trusted, followed.status, market=market)
        if applied is None:
            raise ValueError(f"{name} {place} was taken twice")
        message, data = applied
        kind: UpdateKind = "delta" if message.type == "snapshot" else message.type
        trace = message.trace if kind == "response" else message.trace.delivered_at(self.host.now_ns())
        said, timestamp = followed.status, message.timestamp
        return Update(name, place, kind, data, state, trusted, said, timestamp, trace or NO_TRACE, market)

    def _place(self, followed: _Followed, each: RecordedInput) -> MessageId | None:
        if isinstance(each.what, MessageTaken):
            return None if each.what.id is None else MessageId.parse(each.what.id)
        last = followed.last
        return None if last is None else MessageId(last.epoch, last.seq + 1)

    def _stream(self, number: int) -> _Followed:
        followed = self._followed.get(number)
        if followed is None:
            recorded = self._recorded(self._names[number])
            followed = self._followed[number] = _Followed(recorded, self._listener(recorded.name))
        return followed

    def _listener(self, name: StreamName) -> UpdateListener:
        if not name.has_snapshots:
            return answer_listener(self.runtime, self._health)
        key = name.exchange, name.symbol, name.action
        stream = next((each for each in self._streams if each[:3] == key), SubscribedStream(*key))
        return stream_listener(stream, self.runtime, lambda _status: None)


def _is_message(each: RecordedInput) -> bool:
    """Tell whether an input is a message, not what a reader itself tells of a stream."""
    return not isinstance(each.what, MessageTaken) or each.what.kind not in _STATES
