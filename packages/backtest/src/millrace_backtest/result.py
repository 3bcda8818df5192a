"""The result of a backtest as a document: exact decimals, in the same bytes for the same run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from millrace_backtest.backtest import Backtest
from millrace_backtest.errors import described, without_addresses
from millrace_backtest.exchange.orders import OwnFill
from millrace_backtest.ledger import Holder, holder_of, sums_by
from millrace_backtest.scan import Scan
from millrace_backtest.settings import BacktestSettings
from millrace_core.position import EXACT, Position, plain
from millrace_core.requests import action_of

_MOST_ERRORS: Final = 10


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A part of the result."""


class StrategyResult(_Document, frozen=True, kw_only=True):
    """What one strategy was, and what it asked for."""

    name: str
    tenant: str
    strategy: str
    configuration: dict[str, object]
    requests: dict[str, int]
    """By action."""
    errors: int
    """How often its hooks raised."""
    first_errors: list[str]
    """What they raised first, each kind once: when, on which event, and where."""
    unfinished: str | None
    """What a hook still waited for at the end, if for long: the strategy took no events meanwhile. None if none did."""
    stopped: str | None
    """Why it was stopped for exceeding a limit; None if it was not."""


class MarketResult(_Document, frozen=True, kw_only=True):
    """What one strategy gained in one market. Money is in `currency`."""

    tenant: str
    strategy: str
    exchange: str
    symbol: str
    currency: str
    profit: Decimal | None
    """Realised and unrealised together; None where the open position has no price."""
    realised: Decimal
    """Profit of what was closed, less the fees."""
    unrealised: Decimal | None
    fees: Decimal
    """The value of all fees at their time."""
    fees_by_currency: dict[str, Decimal]
    position: Decimal
    cost: Decimal
    bought: Decimal
    sold: Decimal
    turnover: Decimal
    trades: int
    maker_trades: int
    slippage_bps: Decimal | None
    """By how much takers' fills were worse than the best price when they were decided, weighted by value; 1/100 %."""


class EquityResult(_Document, frozen=True, kw_only=True):
    """The profit over time in one currency."""

    currency: str
    profit: Decimal
    deepest_drawdown: Decimal
    peak_ns: int
    trough_ns: int
    curve: list[tuple[int, Decimal]]
    """Time (ms) and profit; the open positions at the middle of the spread."""


class DataResult(_Document, frozen=True, kw_only=True):
    """What it was run on."""

    recordings: list[str]
    began_ns: int
    ended_ns: int
    messages: int
    is_whole: bool
    gaps: int
    missing: int


class BacktestResult(_Document, frozen=True, kw_only=True):
    """Everything."""

    strategies: list[StrategyResult]
    markets: list[MarketResult]
    equity: list[EquityResult]
    settings: dict[str, object]
    data: DataResult


def result_of(backtest: Backtest, recordings: Sequence[str]) -> BacktestResult:
    """Return the result of a backtest that has run; `recordings` names the files."""
    positions = sorted(backtest.ledger.positions.items())
    return BacktestResult(
        strategies=_strategies(backtest),
        markets=[_market(backtest, holder, position) for holder, position in positions],
        equity=_equity(backtest),
        settings=settings_of(backtest.settings),
        data=data_of(backtest.scanned, backtest.messages, recordings),
    )


def _strategies(backtest: Backtest) -> list[StrategyResult]:
    return [
        StrategyResult(
            name=run.plan.name,
            tenant=run.plan.tenant,
            strategy=run.plan.strategy.__name__,
            configuration=run.plan.configuration,
            requests=dict(sorted(Counter(map(action_of, run.requests)).items())),
            errors=len(run.host.errors),
            first_errors=first_errors(run.host.errors),
            unfinished=run.host.unfinished,
            stopped=None if run.host.given_up is None else without_addresses(str(run.host.given_up)),
        )
        for run in backtest.runs
    ]


def first_errors(errors: Iterable[tuple[int, str, BaseException]]) -> list[str]:
    """Return the first errors of hooks as lines: when, on which event, what, and where; each that differs once."""
    found: dict[str, str] = {}
    for at_ns, event, error in errors:
        what = described(error)
        found.setdefault(what, f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} on {event}: {what}")
        if len(found) == _MOST_ERRORS:
            break
    return list(found.values())


def _market(backtest: Backtest, holder: Holder, position: Position) -> MarketResult:
    unrealised = backtest.ledger.unrealised(holder, backtest.mid(holder.exchange, holder.symbol))
    fills = [fill for fill in backtest.ledger.fills if holder_of(fill) == holder]
    return MarketResult(
        tenant=holder.tenant,
        strategy=holder.source,
        exchange=holder.exchange,
        symbol=holder.symbol,
        currency=holder.currency,
        profit=None if unrealised is None else plain(EXACT.add(position.realised, unrealised)),
        realised=plain(position.realised),
        unrealised=unrealised,
        fees=plain(position.fees),
        fees_by_currency=sums_by(position.fees_by_currency.items()),
        position=plain(position.quantity),
        cost=plain(position.cost),
        bought=plain(position.bought),
        sold=plain(position.sold),
        turnover=plain(position.turnover),
        trades=position.trades,
        maker_trades=sum(fill.is_maker for fill in fills),
        slippage_bps=slippage_bps(fills),
    )


def slippage_bps(fills: Sequence[OwnFill]) -> Decimal | None:
    """Return by how much takers' fills were worse than expected, in 1/100 %; None without such a fill."""
    lost = expected = Decimal(0)
    for fill in fills:
        if fill.is_maker or fill.expected is None:
            continue
        worse = fill.price - fill.expected if fill.side == "buy" else fill.expected - fill.price
        lost += worse * fill.amount
        expected += fill.expected * fill.amount
    return round(10_000 * lost / expected, 4) if expected else None


def _equity(backtest: Backtest) -> list[EquityResult]:
    final: Mapping[str, Decimal] = backtest.ledger.equity(backtest.mid)
    curves: dict[str, list[tuple[int, Decimal]]] = {currency: [] for currency in sorted(final)}
    for sample in backtest.samples.kept:
        for currency, curve in curves.items():
            curve.append((sample.at_ns // 1_000_000, sample.equity.get(currency, Decimal(0))))
    found = []
    for currency, curve in curves.items():
        deepest = backtest.drawdowns[currency].deepest
        found.append(
            EquityResult(
                currency=currency,
                profit=plain(final[currency]),
                deepest_drawdown=deepest.amount,
                peak_ns=deepest.peak_ns,
                trough_ns=deepest.trough_ns,
                curve=curve,
            )
        )
    return found


def settings_of(settings: BacktestSettings) -> dict[str, object]:
    """Return the settings as they stand in documents."""
    return {
        "latency": settings.latency,
        "seed": settings.seed,
        "fees": {exchange: list(rates) for exchange, rates in sorted(settings.fees.items())},
        "balances": None if settings.balances is None else dict(sorted(settings.balances.items())),
        "sinceNs": settings.since_ns,
        "untilNs": settings.until_ns,
    }


def data_of(scanned: Scan, messages: int, recordings: Sequence[str]) -> DataResult:
    """Return what was read; `recordings` names the files."""
    return DataResult(
        recordings=list(recordings),
        began_ns=scanned.began_ns,
        ended_ns=scanned.ended_ns,
        messages=messages,
        is_whole=scanned.is_whole,
        gaps=sum(stream.gaps for stream in scanned.streams.values()),
        missing=sum(stream.missing for stream in scanned.streams.values()),
    )
