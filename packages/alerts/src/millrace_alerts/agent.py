"""Alerts as a service: a unit that judges the rules, one for each receiver, and one for losses if a rule needs it."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from millrace_alerts.delivery import keep_quiet, receiver_of
from millrace_alerts.losses import LossPlan, follow_losses
from millrace_alerts.memory import SavedMemory
from millrace_alerts.outbox import Outbox
from millrace_alerts.receiver import Receiver, ReceiverPlan
from millrace_alerts.watch import Watch, WatchedRule, WatchPlan
from millrace_bus import Bus
from millrace_core.config import AlertRule, AlertsConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import Tenant
from millrace_service import Agent, UnitHealthReporter, UnitKey

UnitPlan = WatchPlan | ReceiverPlan | LossPlan
RULES = "rules"
LOSSES = "losses"


class _Shared(NamedTuple):
    """What the units share."""

    bus: Bus
    saved: SavedMemory
    outbox: Outbox


class AlertsAgent(Agent[AlertsConfig, UnitPlan]):
    """Tells people what needs them. `database_url` is where losses are found."""

    kind = "alerts"
    config_model = AlertsConfig

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._losses: dict[tuple[Tenant, str], Decimal] = {}
        self._shared: _Shared | None = None

    def units(self, config: AlertsConfig) -> Mapping[UnitKey, UnitPlan]:
        """Return the units.

        Raises:
            ConfigInvalid: Apprise does not understand an address.
        """
        plans = receivers(config)
        rules = tuple(_watched(config, rule) for rule in config.rules)
        watch = WatchPlan(config.agent.id, config.environment, rules, config.gather_seconds, tuple(plans))
        losing = [rule.tenant for rule in config.rules if rule.kind == "lossLimit"]
        tenants = None if None in losing else frozenset(tenant for tenant in losing if tenant is not None)
        return {RULES: watch, **plans, **({LOSSES: LossPlan(tenants)} if losing else {})}

    def warnings(self, config: AlertsConfig) -> Sequence[str]:
        """Warn where nobody would be told anything."""
        return () if config.rules else ("rules is empty: nobody is told anything",)

    async def started(self, bus: Bus) -> None:
        """Prepare what the units share."""
        keep_quiet()
        # Apprise imports its hundred plugins at the first address, which takes a second.
        await asyncio.to_thread(receiver_of, "json://localhost")
        saved = SavedMemory(bus)
        self._shared = _Shared(bus, saved, Outbox(saved))

    async def stopped(self) -> None:
        """Keep what was told while the units ended."""
        if self._shared is not None:
            await self._shared.saved.save()

    async def run_unit(self, key: UnitKey, unit_config: UnitPlan, health: UnitHealthReporter) -> None:
        """Run one unit."""
        if self._shared is None:
            raise RuntimeError("run_unit before started")
        bus, saved, outbox = self._shared
        match unit_config:
            case WatchPlan():
                await Watch(unit_config, bus, saved, outbox, self._losses, health).run()
            case ReceiverPlan():
                await Receiver(unit_config, outbox, health).run()
            case LossPlan():
                await follow_losses(unit_config, self._database_url, bus, self._losses, health)


def receivers(config: AlertsConfig) -> dict[UnitKey, ReceiverPlan]:
    """Return every receiver of a configuration.

    Raises:
        ConfigInvalid: Apprise does not understand an address; the text does not show it.
    """
    plans = [
        ReceiverPlan(tenant, name, address) for tenant, own in config.receivers.items() for name, address in own.items()
    ]
    wrong = [plan for plan in plans if receiver_of(plan.address) is None]
    if wrong:
        text = "is no address that Apprise understands; see docs/alerts.md"
        raise ConfigInvalid(tuple(Problem(f"$.receivers.{plan.key}", text) for plan in wrong))
    return {plan.key: plan for plan in plans}


def _watched(config: AlertsConfig, rule: AlertRule) -> WatchedRule:
    found = (config.receiver_of(rule, name) for name in rule.notify)
    return WatchedRule(rule, tuple(f"{tenant}.{name}" for tenant, name in filter(None, found)))
