"""The executor as a service: which units its configuration asks for, and what they share."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from millrace_bus import Bus
from millrace_core.config import Exchanges, ExecutorConfig, OrderLimits, RiskLimits
from millrace_core.instrument import is_misspelt
from millrace_core.names import AgentId, ExchangeId, Tenant
from millrace_executor.accepted_request import AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.execution.account import AccountUnit, AccountUnitConfig
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_executor.intake.request_unit import RequestUnit
from millrace_executor.intake.router import RequestRouter
from millrace_executor.lease.tenant_lease import TenantLease
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
    """One tenant's limits, and where it has accounts, apart from these so that a change does not interrupt trading."""

    tenant: Tenant
    limits: RiskLimits
    exchanges: frozenset[ExchangeId]


@dataclass(frozen=True, slots=True)
class LeaseUnitConfig:
    """One tenant's lease to hold. No other part of the configuration restarts it."""

    tenant: Tenant


UnitConfig = RequestConsumerUnitConfig | RiskUnitConfig | LeaseUnitConfig | AccountUnitConfig


class ExecutorAgent(Agent[ExecutorConfig, UnitConfig]):
    """The service that carries out requests to trade."""

    kind = "executor"
    config_model = ExecutorConfig

    def __init__(self, database_url: str) -> None:
        self._database = ExecutorDatabase(database_url)
        self._router = RequestRouter()
        self._controls: dict[Tenant, TradingControls] = {}
        self._leases: dict[Tenant, TenantLease] = {}

    def units(self, config: ExecutorConfig) -> Mapping[UnitKey, UnitConfig]:
        """Return the lease, a request consumer and the limits of each tenant, and each account."""
        units: dict[UnitKey, UnitConfig] = {}
        for tenant, accounts in config.exchanges.items():
            limits = config.risk.get(tenant, RiskLimits())
            units[f"{tenant}.lease"] = LeaseUnitConfig(tenant)
            units[f"{tenant}.requests"] = RequestConsumerUnitConfig(tenant, config.agent.id)
            units[f"{tenant}.risk"] = RiskUnitConfig(tenant, limits, frozenset(accounts))
            for exchange, credentials in accounts.items():
                account = AccountKey(tenant, exchange)
                units[str(account)] = AccountUnitConfig(account, credentials)
        return units

    def warnings(self, config: ExecutorConfig) -> Sequence[str]:
        """Warn of each limit that protects from nothing, and of each account that two tenants trade on."""
        return [*_warnings_of_limits(config), *_warnings_of_keys(config.exchanges)]

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
            case LeaseUnitConfig(tenant=tenant):
                await self._lease_of(tenant).keep(health)
            case RequestConsumerUnitConfig(tenant=tenant, consumer=consumer):
                requests = RequestUnit(
                    tenant,
                    consumer,
                    bus=self._bus,
                    streams=self._streams,
                    database=self._database,
                    controls=self._controls_of(tenant),
                    router=self._router,
                    lease=self._lease_of(tenant),
                    health=health,
                )
                await requests.run()
            case RiskUnitConfig():
                await self._keep_limits(unit_config, health)
            case AccountUnitConfig(account=account):
                trading = AccountUnit(
                    unit_config,
                    bus=self._bus,
                    streams=self._streams,
                    controls=self._controls_of(account.tenant),
                    router=self._router,
                    lease=self._lease_of(account.tenant),
                    health=health,
                )
                await trading.run()

    async def _keep_limits(self, unit: RiskUnitConfig, health: UnitHealthReporter) -> None:
        controls = self._controls_of(unit.tenant)
        controls.set_limits(unit.limits)
        self._router.configure(unit.tenant, unit.exchanges)
        health.state("live")
        try:
            if unit.limits.max_daily_loss:
                await DailyLoss(unit.tenant, self._database, self._bus.requests, health).watch(unit.limits)
            await asyncio.get_running_loop().create_future()
        finally:
            # If the configuration changed, this unit's next run names the accounts before any request is answered.
            self._router.configure(unit.tenant, ())

    def _lease_of(self, tenant: Tenant) -> TenantLease:
        if tenant not in self._leases:
            self._leases[tenant] = TenantLease(tenant, self._bus.leases, self._lost)
        return self._leases[tenant]

    def _lost(self, tenant: Tenant) -> None:
        self._router.forget(tenant)
        self._streams.discard(tenant)

    def _controls_of(self, tenant: Tenant) -> TradingControls:
        return self._controls.setdefault(tenant, TradingControls())


def _warnings_of_limits(config: ExecutorConfig) -> list[str]:
    """Return each limit that protects from nothing: there is no such account, or no currency of that spelling."""
    homeless = sorted(config.risk.keys() - config.exchanges.keys())
    found = [f"risk.{tenant} limits nothing: exchanges has no {tenant}" for tenant in homeless]
    for tenant, limits in config.risk.items():
        unknown = sorted(limits.accounts.keys() - config.exchanges.get(tenant, {}).keys())
        found += [f"risk.{tenant}.accounts.{each} limits nothing: there is no such account" for each in unknown]
        found += [
            f"{path} limits nothing: exchanges write currencies in capitals, as {code.upper()}"
            for path, code in _currencies(f"risk.{tenant}", limits)
            if is_misspelt(code)
        ]
    return found


def _warnings_of_keys(exchanges: Exchanges) -> Iterator[str]:
    """Yield where two tenants have one key: what one does to orders and balances, it does to the other's."""
    tenants: defaultdict[tuple[ExchangeId, str], list[Tenant]] = defaultdict(list)
    for tenant, accounts in exchanges.items():
        for exchange, credentials in accounts.items():
            if credentials.api_key:
                tenants[exchange, credentials.api_key].append(tenant)
    for (exchange, _), sharing in tenants.items():
        if len(sharing) > 1:
            paths = " and ".join(f"exchanges.{tenant}.{exchange}" for tenant in sharing)
            yield f"{paths} have one apiKey: orders of one are the other's too, and a cancelAllOrders cancels all"


def _currencies(path: str, limits: RiskLimits) -> Iterator[tuple[str, str]]:
    """Yield the path and the code of each currency that a tenant's limits name."""
    parts: dict[str, OrderLimits] = {path: limits}
    parts |= {f"{path}.accounts.{name}": each for name, each in limits.accounts.items()}
    parts |= {f"{path}.sources.{name}": each for name, each in limits.sources.items()}
    yield from ((f"{path}.maxDailyLoss.{code}", code) for code in limits.max_daily_loss)
    for at, each in parts.items():
        yield from ((f"{at}.maxPosition.{code}", code) for code in each.max_position)
