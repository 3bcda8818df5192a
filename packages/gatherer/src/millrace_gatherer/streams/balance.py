"""An account's balances: the exchange's stream, reconciled with its answers to queries."""

from typing import Any, ClassVar, cast

import msgspec

from millrace_bus import Bus, Published
from millrace_core.actions import BALANCE, StreamAction
from millrace_core.clock import now_ns
from millrace_core.market import Balance, Balances
from millrace_core.states import BalanceState
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.following import RECONCILE_S, reconcile
from millrace_gatherer.streams.questions import account_timer
from millrace_gatherer.streams.readable import Readable
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

NOTHING = Balance(free=0.0, used=0.0, total=0.0)


class BalanceStream(Stream):
    """The balances of one account."""

    action: ClassVar[StreamAction] = BALANCE
    resumes = True
    reconcile_s = RECONCILE_S

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._balances: Balances = {}
        self._readable = Readable(msgspec.json.Decoder(Balance), health)
        self._changed_meanwhile: set[str] = set()
        """Currencies that messages changed since the exchange was last asked."""
        super().__init__(unit, exchange, bus, health)
        self._questions = account_timer(exchange, None, self.wake)

    async def follow(self) -> None:
        """Follow the stream and ask for all balances on a timer."""
        self.is_subscribed = False
        reconciling = reconcile(self._reconcile, self.health, self.reconcile_s, self._questions)
        await run_all(self.exchange.account.balance(self, self.on_subscribed), reconciling)

    def take_snapshot(self, as_of: str) -> dict[str, Any]:
        """Return all balances."""
        return {**self._balances, "asOf": as_of}

    def resume(self, published: Published) -> None:
        """Restore the published balances; then ask for the present ones."""
        self._balances = dict(cast(BalanceState, published.state).balances)

    def balance_changed(self, balances: Balances, event: EventTimes) -> None:
        """Publish the difference to the published balances."""
        self.on_message()
        self._questions.received()
        self._changed_meanwhile |= balances.keys()
        completed = {code: self._completed(code, held) for code, held in balances.items()}
        if any(held.free is None for held in completed.values()):
            # Without what is free of it nobody can trade: the answer says it.
            self._questions.missed()
        self._take(completed, event, is_live=True)

    def _completed(self, code: str, held: Balance) -> Balance:
        """Return a streamed balance with what was answered last of what it does not say: few streams say debts."""
        known = self._balances.get(code, NOTHING)
        if held.debt is None and known.debt is not None:
            held = msgspec.structs.replace(held, debt=known.debt)
        if held.free is None and held.total == known.total:
            held = msgspec.structs.replace(held, free=known.free, used=known.used)
        return held

    async def _reconcile(self) -> None:
        await self.known.wait()
        self._changed_meanwhile.clear()
        balances = await self.exchange.account.fetch_balance()
        gone = {code: NOTHING for code in self._balances if code not in balances}
        # What a message changed meanwhile the answer may have from before it.
        changed = self._changed_meanwhile
        answered = {code: held for code, held in {**gone, **balances}.items() if code not in changed}
        self._take(answered, EventTimes(None, now_ns()), is_live=False)
        self.live()

    def _take(self, balances: Balances, event: EventTimes, *, is_live: bool) -> None:
        changed = {
            code: held
            for code, held in balances.items()
            if self._balances.get(code) != held and self._readable.accepts(held)
        }
        if changed:
            self._balances.update(changed)
            self.publish(changed, event, is_live=is_live)
