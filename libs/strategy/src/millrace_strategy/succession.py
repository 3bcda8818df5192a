"""The instances of one strategy, one after the other: new code or settings are taken over between two events.

What is known of the market and the account belongs to the runtime and goes on. An instance has what ends with it: its
trader, its timers, and the events that wait for it. What waits when it is replaced is for its successor, so every event
reaches exactly one of the two.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from millrace_core.clock import NS_PER_MS
from millrace_core.config.magicbox import StrategyLimits
from millrace_strategy.dispatcher import Dispatcher
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.events import Event, StartEvent, StopEvent, TimerEvent
from millrace_strategy.host import Host
from millrace_strategy.state import StrategyState
from millrace_strategy.strategy import Strategy
from millrace_strategy.timers import Timers
from millrace_strategy.trader import Trader

TRIAL_MS: Final = 60_000
"""For how long a new instance that fails is replaced by the one before it."""

OnRolledBack = Callable[[StrategyFaulty], None]


class Tools(NamedTuple):
    """What ends with an instance."""

    trader: Trader
    timers: Timers


class Instance:
    """One instance of a strategy."""

    def __init__(self, kind: type[Strategy], configuration: Any, strategy: Strategy, tools: Tools) -> None:
        self.kind, self.configuration, self.strategy, self.tools = kind, configuration, strategy, tools
        self.dispatcher: Dispatcher
        self.then: Callable[[], None] | None = None
        """Called when its last hook has returned, if another follows."""

    def end(self) -> None:
        """End what ends with it."""
        self.tools.timers.stop()
        self.tools.trader.stop()


class _Trial(NamedTuple):
    """What a new instance is replaced by if it fails."""

    kind: type[Strategy]
    configuration: Any
    state: bytes
    until_ns: int
    rolled_back: OnRolledBack


class Succession:
    """Starts, replaces and stops instances; `ended` is called when the last one has ended."""

    def __init__(
        self,
        host: Host,
        limits: StrategyLimits,
        state: StrategyState,
        *,
        tools: Callable[[], Tools],
        build: Callable[[type[Strategy], Any, Tools], Strategy],
        handled: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._host, self._limits, self._state = host, limits, state
        self._tools, self._build, self._handled, self._ended = tools, build, handled, ended
        self._trial: _Trial | None = None
        self._took_over: Callable[[], None] = lambda: None
        self._leaving: Instance | None = None
        self.present: Instance
        """The instance that takes events."""

    @property
    def is_replacing(self) -> bool:
        """Tell whether a replaced instance has not ended yet: its successor's events wait."""
        return self._leaving is not None

    def first(self, kind: type[Strategy], configuration: Any) -> None:
        """Make the first instance."""
        self.present = self._make(kind, configuration, is_on_trial=False)

    def replace(
        self,
        kind: type[Strategy],
        configuration: Any,
        *,
        took_over: Callable[[], None],
        rolled_back: OnRolledBack,
    ) -> None:
        """Let another instance handle the next event; the present one is stopped first.

        `took_over` is called when it has. If it fails in its first minute, the present code, settings and state come
        back: `rolled_back` is called, and `took_over` again. What its constructor raises is raised, and nothing
        changes. The present instance must be running, and the one before it must have ended.
        """
        if self.is_replacing:
            raise RuntimeError("the instance before has not ended yet")
        old, until_ns = self.present, self._host.monotonic_ns() + TRIAL_MS * NS_PER_MS
        trial = _Trial(old.kind, old.configuration, self._state.document(), until_ns, rolled_back)
        try:
            new = self._make(kind, configuration, is_on_trial=True)
        except BaseException:
            if self._state.document() != trial.state:
                self._state.restore(trial.state, is_changed=True)
            raise
        self._trial, self._took_over = trial, took_over
        self._hand_over(new)

    def cut_off(self) -> None:
        """Go on without a replaced instance whose hook does not return, and was cancelled."""
        if self._leaving is not None:
            self._instance_ended(self._leaving)

    def _make(self, kind: type[Strategy], configuration: Any, *, is_on_trial: bool) -> Instance:
        tools = self._tools()
        try:
            strategy = self._build(kind, configuration, tools)
        except BaseException:
            # Its constructor may have set timers, which would call it beside the one that goes on.
            tools.timers.stop()
            tools.trader.stop()
            raise
        instance = Instance(kind, configuration, strategy, tools)
        instance.dispatcher = Dispatcher(
            instance.strategy,
            tools.trader,
            self._host,
            self._limits,
            handled=self._handled,
            gave_up=self._gave_up,
            ended=lambda: self._instance_ended(instance),
            starts_without_error=is_on_trial,
        )
        return instance

    def _hand_over(self, new: Instance) -> None:
        old, self.present, self._leaving = self.present, new, self.present
        new.dispatcher.hold()
        waiting = [event for event in old.dispatcher.take_waiting() if not _is_of_instance(event)]
        new.tools.trader.take_over(old.tools.trader)

        def start() -> None:
            self._leaving = None
            self._took_over()
            new.dispatcher.start(StartEvent(timestamp=self._now_ms(), is_replacement=True), waiting)

        old.then = start
        old.dispatcher.stop(StopEvent(timestamp=self._now_ms(), is_replaced=True))

    def _instance_ended(self, instance: Instance) -> None:
        instance.end()
        then, instance.then = instance.then, None
        if then is not None:
            then()
        elif instance is self.present:
            self._ended()

    def _gave_up(self, fault: StrategyFaulty) -> None:
        trial, self._trial = self._trial, None
        if trial is None or self._host.monotonic_ns() > trial.until_ns:
            self._host.gave_up(fault)
            self.present.dispatcher.stop(StopEvent(timestamp=self._now_ms()))
            return
        # What the failed code has written, the earlier code may not understand.
        self._state.restore(trial.state, is_changed=True)
        self._hand_over(self._make(trial.kind, trial.configuration, is_on_trial=False))
        trial.rolled_back(fault)

    def _now_ms(self) -> int:
        return self._host.now_ns() // NS_PER_MS


def _is_of_instance(event: Event) -> bool:
    """Tell whether an event concerns one instance alone."""
    return isinstance(event, TimerEvent | StartEvent | StopEvent)
