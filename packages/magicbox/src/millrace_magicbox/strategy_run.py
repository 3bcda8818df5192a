"""One run of a strategy: it is found, configured, given its orders and streams, and stopped at the end."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog

from millrace_bus import Bus, BusError, RequestExpired, UpdateListener
from millrace_core.errors import MillraceError
from millrace_core.messages import RequestError, Response, ResponseStatus
from millrace_core.names import Action, ExchangeId, StreamName, Symbol
from millrace_core.orders import OrderRecord
from millrace_core.requests import OrderRequest
from millrace_core.strategy_inputs import (
    HookCutOff,
    RequestAnswered,
    StrategyReplaced,
    StrategyStarted,
    StrategyStopped,
)
from millrace_magicbox.failures import Failures
from millrace_magicbox.input_journal import InputJournal, RunsElsewhere, made, restored, settings
from millrace_magicbox.live_host import LiveHost
from millrace_magicbox.order_canceller import cancel_open_orders
from millrace_magicbox.order_gateway import OrderGateway
from millrace_magicbox.order_lookup import OrderLookup
from millrace_magicbox.plan import StrategyPlan
from millrace_magicbox.plugin_checks import check_plugins
from millrace_magicbox.plugins import load_strategy
from millrace_magicbox.routing import answer_listener, counted, stream_listener
from millrace_magicbox.strategy_recorder import StrategyRecorder
from millrace_magicbox.subscription_watch import SubscriptionWatch
from millrace_service import UnitHealthReporter
from millrace_service.tasks import first_of
from millrace_strategy import Runtime, StrategyFaulty, SubscribedStream, read_configuration

WATCH_ORDERS = Action("watchOrders")
RECENT_ORDERS = 1_000
"""How many recent orders of each symbol are read at the start; open ones are all read."""
MEASURE_EVERY_S = 1.0
LAST_HOOK_LIMIT_S = 2.0
"""How long `on_stop`, and a hook still running before it, may take."""


class RolledBack(MillraceError):
    """A new version of a strategy failed in its first minute, and the one before it came back."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the new version failed in its first minute, so the one before it runs again: {why}")


class StrategyRun:
    """Runs one strategy until it is cancelled.

    `run` raises what keeps the strategy from starting: `ConfigInvalid`, `PluginNotFound`, `PluginAmbiguous`,
    `PluginBroken`, `SavedRecordBroken`, or what its own constructor raised; later, the first failure outside of its
    hooks. A strategy that is stopped for exceeding a limit stays so, in state `stopped`, and follows its streams no
    longer. One that another magicbox has begun to run trades no more, in state `standby`, and `run` returns when that
    one is gone.
    """

    def __init__(self, plan: StrategyPlan, bus: Bus, health: UnitHealthReporter, plugin_folder: Path | None) -> None:
        self._plan = plan
        self._bus = bus
        self._health = health
        strategy = load_strategy(plan.plugin_name, plugin_folder)
        configuration = read_configuration(strategy.Configuration, plan.configuration, path=plan.path)
        self._failures = Failures()
        self._journal = InputJournal(bus, plan.tenant, plan.name, health)
        self._lookup = OrderLookup(bus, plan.tenant, lambda: self._runtime, self._journal, self._failures)
        # Bound explicitly: hooks are called from the connection's task, whose context is not this unit's.
        self._log = structlog.get_logger("millrace.magicbox").bind(unit=f"{plan.tenant}.{plan.name}")
        self._host = LiveHost(
            health,
            self._log,
            send=self._send,
            look_up=self._lookup.ask,
            failures=self._failures,
            journal=self._journal,
        )
        self._recorder = StrategyRecorder(bus, plan.tenant, plan.name, health)
        self._journal.take(made(plan))
        self._runtime = Runtime(
            strategy,
            name=plan.name,
            configuration=configuration,
            streams=plan.streams,
            host=self._host,
            limits=plan.limits,
            log=self._recorder.logger(self._log),
            recorder=self._recorder,
        )
        self._recorder.follow(self._runtime.positions)
        self._gateway = OrderGateway(
            bus,
            plan.tenant,
            self._answers_of,
            traded=self._follow_orders,
            unanswered=self._answer,
            failures=self._failures,
        )
        names = map(plan.stream_name, plan.streams)
        self._subscriptions = SubscriptionWatch(bus, plan.tenant, names, health, self._log)
        self._followed: set[StreamName] = set()
        self._plugin_folder = plugin_folder
        self._is_active = self._is_sending = False
        self._taken_over = asyncio.Event()
        self._taken_over.set()
        self._open = AsyncExitStack()

    async def replace(self, plan: StrategyPlan) -> bool:
        """Have the present code of a strategy take over, with changed settings; return False if it must be run anew.

        That is so if anything else has changed, or the strategy does not run. What cannot be loaded or made is reported
        as an error, and the present version goes on.
        """
        if (
            not self._is_active
            or replace(plan, configuration=self._plan.configuration, path=self._plan.path) != self._plan
        ):
            return False
        try:
            # In a process of its own first: its code may hang, or end its process.
            await check_plugins([plan], self._plugin_folder)
            strategy = load_strategy(plan.plugin_name, self._plugin_folder)
            configuration = read_configuration(strategy.Configuration, plan.configuration, path=plan.path)
            await self._until_taken_over()
            self._taken_over.clear()
            self._journal.take(StrategyReplaced(settings(plan)))
            self._runtime.replace(
                strategy, configuration, took_over=self._taken_over.set, rolled_back=self._rolled_back
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a strategy's own constructor may raise anything)
            self._taken_over.set()
            if self._runtime.is_replacing:
                # It failed outside of hooks, between the two: no version takes events, so the unit has failed.
                self._failures.report(error)
                return True
            self._health.error(error)
            self._log.error("a new version cannot run; the present one goes on", exc_info=error)
            return True
        self._plan = plan
        self._health.count("replacements")
        self._log.info("a new version takes over")
        self._health.state("starting", "a new version takes over")
        await self._until_taken_over()
        self._subscriptions.show()
        return True

    async def _until_taken_over(self) -> None:
        """Wait until the replaced version's last hook has returned; cut it off if it does not."""
        try:
            async with asyncio.timeout(LAST_HOOK_LIMIT_S):
                await self._taken_over.wait()
        except TimeoutError:
            self._health.error(f"a hook of the replaced version did not return within {LAST_HOOK_LIMIT_S} s")
            await self._host.cancel_hook()
            self._journal.take(HookCutOff())
            self._runtime.cut_off()

    def _rolled_back(self, why: StrategyFaulty) -> None:
        """Say loudly that the version before came back."""
        self._health.error(RolledBack(str(why)))
        self._health.count("rollbacks")
        self._log.error("the new version failed; the one before it came back", reason=str(why), exc_info=why.__cause__)
        if self._runtime.is_replacing:
            self._taken_over.clear()
            task = asyncio.create_task(self._until_taken_over(), name="roll-back")
            self._failures.watch(task)

    async def run(self) -> None:
        """Run until cancelled, or until something in it fails that is not the strategy's own fault.

        Return when the strategy is to be run anew: it ran elsewhere meanwhile, and does so no more.
        """
        self._journal.begin(self._failures)
        try:
            await self._run()
        except RunsElsewhere as error:
            self._log.warning("the strategy runs elsewhere", reason=str(error))
            self._health.error(error)
            self._health.state("standby", str(error))
            await self._journal.alone()
            self._health.state("starting", "the other magicbox is gone")
        finally:
            await self._journal.close()

    async def _run(self) -> NoReturn:
        async with self._open:
            self._open.push_async_callback(self._lookup.close)
            self._open.push_async_callback(self._gateway.close)
            self._open.push_async_callback(self._subscriptions.close)
            try:
                await self._journal.claimed()
                await self._start()
                self._is_active = True
                await first_of(
                    self._failures.first(), self._measure(), self._recorder.run(), self._cancel_after_fault()
                )
                self._flush()
            finally:
                self._is_active = False
                await self._stop()
        # A stopped strategy follows no stream, so that it takes nothing from the others.
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def _start(self) -> None:
        saved = await self._recorder.load()
        self._journal.take(restored(saved))
        self._runtime.restore(saved)
        pairs = sorted({(stream.exchange, stream.symbol) for stream in self._plan.streams if stream.symbol is not None})
        # Answers and updates first, orders in Redis second: what happens in between is then read twice, which the join
        # makes one, and is never missed.
        await asyncio.gather(*(self._gateway.follow(exchange, symbol) for exchange, symbol in pairs))
        for exchange, symbol in pairs:
            self._follow_orders(exchange, symbol)
        found = await asyncio.gather(*(self._earlier_orders(exchange, symbol) for exchange, symbol in pairs))
        earlier = [record for records in found for record in records]
        self._journal.take(StrategyStarted(earlier))
        self._runtime.start(earlier)
        for stream in self._plan.streams:
            self._follow(stream)
        self._subscriptions.begin(self._failures)
        self._log.info("strategy started", streams=len(self._plan.streams), open_orders=len(self._runtime.orders.open))

    async def _measure(self) -> NoReturn:
        """Report once a second what would cost too much at each event."""
        while True:
            self._flush()
            await asyncio.sleep(MEASURE_EVERY_S)

    def _flush(self) -> None:
        self._host.times.flush(self._runtime.unfinished)
        self._health.gauge("waiting", self._runtime.waiting)
        self._health.gauge("openOrders", len(self._runtime.orders.open))

    async def _cancel_after_fault(self) -> None:
        await self._host.fault()
        self._is_active = False
        # A hook that still runs could order after the open orders were cancelled.
        await self._end_hooks()
        if self._plan.limits.cancels_orders:
            await cancel_open_orders(self._bus, self._plan, self._health.error)

    async def _stop(self) -> None:
        if self._journal.is_fenced:
            # Its orders, state and positions are the other run's by now: nothing is canceled or written.
            self._gateway.discard()
            await self._host.cut_short()
            return
        self._journal.take(StrategyStopped())
        self._runtime.stop()
        await self._end_hooks()
        await self._journal.close()
        await self._recorder.close()

    async def _end_hooks(self) -> None:
        try:
            async with asyncio.timeout(LAST_HOOK_LIMIT_S):
                await self._host.over()
        except TimeoutError:
            self._health.error(f"on_stop, or the hook before it, did not return within {LAST_HOOK_LIMIT_S} s")
            await self._host.cut_short()

    async def _earlier_orders(self, exchange: ExchangeId, symbol: Symbol) -> list[OrderRecord]:
        tenant = self._plan.tenant
        recent = await self._bus.orders.recent(tenant, exchange, symbol, RECENT_ORDERS)
        open_ids = await self._bus.orders.open_ids(tenant, exchange, symbol)
        missing = sorted(open_ids - {record.order.id for record in recent})
        found = [await self._bus.orders.get(tenant, each, exchange=exchange, symbol=symbol) for each in missing]
        return [record for record in (*reversed(recent), *found) if record is not None]

    def _follow_orders(self, exchange: ExchangeId, symbol: Symbol | None) -> None:
        """Follow the gatherer's orders on a symbol that is traded, subscribed to or not."""
        if symbol is not None:
            self._follow(SubscribedStream(exchange, symbol, WATCH_ORDERS))

    def _follow(self, stream: SubscribedStream) -> None:
        name = self._plan.stream_name(stream)
        if name not in self._followed:
            self._followed.add(name)
            on_status = partial(self._subscriptions.status, name)
            listener = counted(stream_listener(stream, self._runtime, on_status), self._health)
            noted = self._journal.listener(str(name), listener)
            follower = self._bus.follow(name, noted, on_failed=self._failures.report)
            self._open.push_async_callback(follower.close)

    def _answers_of(self, name: StreamName) -> UpdateListener:
        return self._journal.listener(str(name), answer_listener(self._runtime, self._health))

    def _send(self, request: OrderRequest) -> None:
        if self._journal.is_fenced:
            return
        self._is_sending = True
        self._gateway.send(request)
        self._is_sending = False

    def _answer(self, request: OrderRequest, status: ResponseStatus, error: BusError) -> None:
        """Answer a request in place of the executor, unless that has answered, even if only `unknown`."""
        pending = next((each for each in self._runtime.trader.pending if each.request is request), None)
        if pending is None or _is_of_executor(pending.response):
            return
        self._health.error(error)
        response = Response(
            pending.request_id,
            status,
            order_source=self._runtime.name,
            error=RequestError(type(error).__name__, str(error)),
        )
        place = pending.exchange, pending.action, pending.symbol
        self._journal.take(RequestAnswered(*place, response, at_once=self._is_sending))
        self._runtime.response(*place, response)


def _is_of_executor(response: Response | None) -> bool:
    """Tell whether a provisional answer is the executor's; else it is ours, which says that the request expired."""
    return response is not None and (response.error is None or response.error.kind != RequestExpired.__name__)
