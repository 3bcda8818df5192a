"""Dbsync's configuration: which journals to store."""

from pydantic import Field, model_validator

from millrace_core.config.common import TENANT, ConfigModel, TenantField
from millrace_core.config.workers import WorkersConfig

MOST_DAYS = 36_500


class DbsyncWorkplan(ConfigModel):
    """Journals of one tenant to store."""

    tenant: TenantField = Field(validation_alias=TENANT)
    """Whose journals."""
    assets: tuple[str, ...] = Field(min_length=1)
    """Names of the tenant's streams; `*` stands for any run of characters. Snapshots go with their stream."""
    requests: bool = True
    """Store the requests on `{tenant}.traderActions` too; of several dbsyncs of a tenant, one is enough."""
    equity_currency: str = Field(default="USDT", pattern=r"^[^\s/:]{1,32}$")
    """The currency in which the tenant's balances are valued."""


class DbsyncRetention(ConfigModel):
    """For how many days each kind of history is kept in the database; None keeps it forever."""

    book_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)
    """Order books: deltas, snapshots and checkpoints."""
    trades_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)
    """Trades of the market; candles stay."""
    other_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)
    """Everything else that grows."""


class DbsyncConfig(WorkersConfig):
    """The whole configuration of a dbsync."""

    workplans: tuple[DbsyncWorkplan, ...] = ()
    """What is stored."""
    agents: bool = True
    """Store the states and configuration changes of all agents; of several dbsyncs, one is enough."""
    retention: DbsyncRetention = DbsyncRetention()
    """Dbsyncs that share a database need the same retention."""
    batch_interval: float = Field(default=0.15, ge=0.01, le=5.0)
    """Seconds for which messages are collected, at most, before they are committed together."""
    batch_messages: int = Field(default=10_000, ge=100, le=200_000)
    """Messages that are committed together under load; three times as many are in memory at most."""
    warn_at_percent: int = Field(default=50, ge=1, le=99)
    """An alarm is raised once more than this share of what a journal keeps waits to be stored."""

    @model_validator(mode="after")
    def _agrees_on_tenants(self) -> "DbsyncConfig":
        problems = [
            f"workplans[{index}].assets[{number}]: must begin with stream.{plan.tenant}. as all its streams do"
            for index, plan in enumerate(self.workplans)
            for number, asset in enumerate(plan.assets)
            if not asset.startswith(f"stream.{plan.tenant}.")
        ]
        problems += [
            f"workplans[{index}].equityCurrency: another workplan of {plan.tenant} has {first.equity_currency}"
            for index, plan in enumerate(self.workplans)
            for first in self.workplans[:index]
            if first.tenant == plan.tenant and first.equity_currency != plan.equity_currency
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self
