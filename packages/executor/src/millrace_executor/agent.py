"""The executor as a service: which units its configuration asks for, and what they share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millrace_bus import Bus
from millrace_core.config import ExecutorConfig, RiskLimits
from millrace_core.names import AgentId, Tenant
from millrace_executor.accepted_request import AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.execution.account import AccountUnitConfig, trade
from millrace_executor.intake.halt_database import HaltDatabase
from millrace_executor.intake.request_consumer import RequestConsumer
from millrace_executor.intake.router import RequestRouter
from millrace_executor.risk.daily_loss import DailyLoss
from millrace_executor.trading_controls import TradingControls
from millrace_service import Agent, UnitHealthReporter, UnitKey


@dataclass(frozen=True, slots=True)
class RequestConsumerUnitConfig:
    """One tenant's requests to consume. No other part of the configuration restarts it."""

    tenant: Tenant
    consumer: AgentId


@dataclass(frozen=True, slots=True)
class RiskUnitConfig:
    """One tenant's limits, apart from its accounts so that a change does not interrupt trading."""

    tenant: Tenant
    limits: RiskLimits


UnitConfig = RequestConsumerUnitConfig | RiskUnitConfig | AccountUnitConfig


class ExecutorAgent(Agent[ExecutorConfig, UnitConfig]):
    """The service that carries out requests to trade."""

    kind = "executor"
    config_model = ExecutorConfig

    def __init__(self, database_url: str) -> None:
        self._database = HaltDatabase(database_url)
        self._router = RequestRouter()
        self._controls: dict[Tenant, TradingControls] = {}

    def units(self, config: ExecutorConfig) -> Mapping[UnitKey, UnitConfig]:
        """Return a request consumer and the limits of each tenant, and each account."""
        units: dict[UnitKey, UnitConfig] = {}
        for tenant, accounts in config.exchanges.items():
            units[f"{tenant}.requests"] = RequestConsumerUnitConfig(tenant, config.agent.id)
            units[f"{tenant}.risk"] = RiskUnitConfig(tenant, config.risk.get(tenant, RiskLimits()))
            for exchange, credentials in accounts.items():
                account = AccountKey(tenant, exchange)
                units[str(account)] = AccountUnitConfig(account, credentials)
        return units

    def warnings(self, config: ExecutorConfig) -> Sequence[str]:
        """Warn of each limit that protects from nothing: there is no such account."""
        homeless = sorted(config.risk.keys() - config.exchanges.keys())
        found = [f"risk.{tenant} limits nothing: exchanges has no {tenant}" for tenant in homeless]
        for tenant, limits in config.risk.items():
            unknown = sorted(limits.accounts.keys() - config.exchanges.get(tenant, {}).keys())
            found += [f"risk.{tenant}.accounts.{each} limits nothing: there is no such account" for each in unknown]
        return found

    async def started(self, bus: Bus) -> None:
        """Make what all units share."""
        self._bus = bus
        self._streams = AnswerStreams(bus)

    async def stopped(self) -> None:
        """Leave unfinished requests to the next run, and close the streams of answers and the database."""
        self._router.shut()
        await self._streams.close()
        await self._database.close()

    async def run_unit(self, key: UnitKey, unit_config: UnitConfig, health: UnitHealthReporter) -> None:
        """Do one unit's work until cancelled."""
        match unit_config:
            case RequestConsumerUnitConfig(tenant=tenant, consumer=consumer):
                requests = RequestConsumer(
                    tenant,
                    consumer,
                    bus=self._bus,
                    streams=self._streams,
                    database=self._database,
                    controls=self._controls_of(tenant),
                    router=self._router,
                    health=health,
                )
                await requests.run()
            case RiskUnitConfig(tenant=tenant, limits=limits):
                await self._keep_limits(tenant, limits, health)
            case AccountUnitConfig(account=account):
                await trade(
                    unit_config,
                    bus=self._bus,
                    streams=self._streams,
                    controls=self._controls_of(account.tenant),
                    router=self._router,
                    health=health,
                )

    async def _keep_limits(self, tenant: Tenant, limits: RiskLimits, health: UnitHealthReporter) -> None:
        controls = self._controls_of(tenant)
        controls.set_limits(limits)
        health.state("live")
        if limits.max_daily_loss:
            await DailyLoss(tenant, self._database, controls, health).watch(limits)
        await asyncio.get_running_loop().create_future()

    def _controls_of(self, tenant: Tenant) -> TradingControls:
        return self._controls.setdefault(tenant, TradingControls())
