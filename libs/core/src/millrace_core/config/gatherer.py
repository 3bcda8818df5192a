"""The gatherer's configuration: which streams to take from which exchanges."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, model_validator

from millrace_core.actions import ACTIONS, WatchAction
from millrace_core.config.common import (
    TENANT,
    ConfigModel,
    ExchangeField,
    Exchanges,
    SymbolsField,
    TenantField,
)
from millrace_core.config.workers import WorkersConfig

MOST_STREAMS: Final = 100_000
"""Streams of one configuration: a short text may name any number, by each symbol with each data point."""


class DataPoint(ConfigModel):
    """One kind of stream. The short form is the action's name alone."""

    action: WatchAction
    """The kind of data, by the name of ccxt's method."""
    timeframe: str | None = None
    """Of candles, such as `1m`."""
    limit: int | None = Field(default=None, gt=0, le=10_000)
    """Levels of a book or number of candles, passed to ccxt."""


def _long_form(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


class GathererWorkplan(ConfigModel):
    """Streams to take for one tenant from one exchange."""

    tenant: TenantField = Field(validation_alias=TENANT)
    """Whose streams; PUBLIC's feeds are for all."""
    exchange_id: ExchangeField
    """ccxt's id of the exchange; `exchanges` has the account."""
    asset_pairs: tuple[SymbolsField, ...] = ()
    """Symbols, and patterns such as `*/USDT`, `BTC/*` and `*` (spot markets), `*/USDT:USDT` (contracts)."""
    max_symbols: int = Field(default=200, ge=1, le=10_000)
    """How many symbols a pattern may match: a mistyped one must not use up the exchange's limits."""
    data_points: tuple[Annotated[DataPoint, BeforeValidator(_long_form)], ...] = Field(min_length=1)
    """What to take of each symbol, or of the account."""
    retention: int = Field(default=10_000, ge=100, le=1_000_000)
    """Number of messages that each journal keeps."""
    snapshot_interval: float = Field(default=60.0, ge=0.1, le=86_400)
    """Seconds between two snapshots of a stream."""
    checksum_every: int = Field(default=50, ge=1, le=1_000_000)
    """Every n-th message of an order book carries a checksum."""

    @property
    def most_streams(self) -> int:
        """Return how many streams it may stand for; a pattern may match `max_symbols`."""
        symbols = sum(self.max_symbols if "*" in symbol else 1 for symbol in self.asset_pairs)
        return sum(1 if ACTIONS[point.action].is_account_wide else symbols for point in self.data_points)


class GathererConfig(WorkersConfig):
    """The whole configuration of a gatherer."""

    exchanges: Exchanges = {}
    """The accounts to read, by tenant and exchange; `{}` is enough for public data."""
    workplans: tuple[GathererWorkplan, ...] = ()
    """What is streamed."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "GathererConfig":
        problems = [problem for index, plan in enumerate(self.workplans) for problem in self._problems(index, plan)]
        if (streams := self.most_streams) > MOST_STREAMS:
            problems.append(f"workplans: stand for {streams:,} streams, {MOST_STREAMS:,} at most; lower maxSymbols")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def most_streams(self) -> int:
        """Return how many streams it may stand for."""
        return sum(plan.most_streams for plan in self.workplans)

    def _problems(self, index: int, plan: GathererWorkplan) -> list[str]:
        where = f"workplans[{index}]"
        account = self.exchanges.get(plan.tenant, {}).get(plan.exchange_id)
        private = [point.action for point in plan.data_points if ACTIONS[point.action].is_private]
        if account is None:
            entry = f"{plan.tenant}.{plan.exchange_id}"
            return [f"{where}: exchanges has no entry {entry}; add one ({{}} is enough for public data)"]
        problems = []
        if private and not account.api_key:
            problems.append(f"{where}.dataPoints: {private[0]} needs exchanges.{plan.tenant}.{plan.exchange_id}.apiKey")
        if not plan.asset_pairs and any(not ACTIONS[point.action].is_account_wide for point in plan.data_points):
            problems.append(f"{where}.assetPairs: is empty; name the symbols")
        return problems
