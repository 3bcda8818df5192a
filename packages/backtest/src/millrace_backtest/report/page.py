"""The page: what a strategy gained, how, and on what; one file that opens without a network."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final

from millrace_backtest.backtest import Backtest
from millrace_backtest.exchange.orders import OwnFill
from millrace_backtest.ledger import sums_by
from millrace_backtest.report.charts import Chart, Marks, Point, bars_of, html_of
from millrace_backtest.report.parts import (
    duration,
    facts_section,
    fee_text,
    latency_text,
    page_html,
    short,
    signed,
    table_section,
    tile,
    utc,
)
from millrace_backtest.result import BacktestResult, EquityResult, MarketResult
from millrace_backtest.scan import FoundGap
from millrace_core.clock import NS_PER_MS
from millrace_core.messages import encode

_LAST_FILLS: Final = 100
_MOST_GAPS: Final = 100
Compared = Sequence[tuple[str, BacktestResult]]
"""Results by latency."""


def report_html(backtest: Backtest, result: BacktestResult, compared: Compared = ()) -> str:
    """Return the page; `compared` are results of the same strategy at several latencies."""
    title = f"{', '.join(strategy.name for strategy in result.strategies)}: backtest"
    parts = (
        f"<section class='tiles'>{_tiles(result)}</section>",
        *(_equity_section(equity) for equity in result.equity),
        *(_market_section(backtest, result, market) for market in _markets(backtest, result)),
        _latency_section(compared),
        table_section("Profit by strategy and market", _MARKET_HEAD, map(_market_row, result.markets)),
        _fills_section(backtest.ledger.fills),
        _errors_section(result),
        _gaps_section(backtest.scanned.gaps),
        _facts(backtest, result),
    )
    return page_html(title, _span(backtest, result), parts)


def _span(backtest: Backtest, result: BacktestResult) -> str:
    kept = backtest.samples.kept
    first, last = (kept[0].at_ns, kept[-1].at_ns) if kept else (result.data.began_ns, result.data.ended_ns)
    whole = "" if result.data.is_whole and not result.data.gaps else " · the recording has gaps or was cut off"
    seconds = (last - first) / 1e9
    return escape(f"{utc(first)} to {utc(last)} UTC · {duration(seconds)} · {result.data.messages:,} messages{whole}")


def _tiles(result: BacktestResult) -> str:
    tiles = []
    for equity in result.equity:
        css = "gain" if equity.profit > 0 else "loss" if equity.profit < 0 else ""
        tiles.append(tile(signed(_rounded(equity.profit)), f"profit, {equity.currency}", css))
        tiles.append(tile(short(_rounded(equity.deepest_drawdown)), f"deepest drawdown, {equity.currency}"))
    trades = sum(market.trades for market in result.markets)
    makers = sum(market.maker_trades for market in result.markets)
    tiles.append(tile(f"{trades:,}", f"trades, {100 * makers // trades if trades else 0} % as maker"))
    tiles += [tile(short(_rounded(fees)), f"fees, {currency}") for currency, fees in _fees(result).items()]
    requests = sum(sum(strategy.requests.values()) for strategy in result.strategies)
    tiles.append(tile(f"{requests:,}", "requests"))
    errors = sum(strategy.errors for strategy in result.strategies)
    if errors:
        tiles.append(tile(f"{errors:,}", "errors in hooks", "loss"))
    return "".join(tiles)


def _markets(backtest: Backtest, result: BacktestResult) -> list[str]:
    """Return the markets to show: those that were traded, or else all that were followed."""
    traded = dict.fromkeys(f"{market.exchange} {market.symbol}" for market in result.markets)
    followed = dict.fromkeys(name for sample in backtest.samples.kept[-1:] for name in sample.mids)
    return list(traded or followed)


def _market_section(backtest: Backtest, result: BacktestResult, market: str) -> str:
    exchange, _, symbol = market.partition(" ")
    fills = [fill for fill in backtest.ledger.fills if (fill.exchange, fill.symbol) == (exchange, symbol)]
    samples = backtest.samples.kept
    of_market = [gap.at_ns // NS_PER_MS for gap in backtest.scanned.gaps if _is_of(gap.name, exchange, symbol)]
    gaps = sorted(set(of_market))
    base, _, quote = symbol.partition(":")[0].partition("/")
    price = Chart(
        "Price and own fills",
        quote,
        [Point(sample.at_ns // NS_PER_MS, sample.mids[market]) for sample in samples if market in sample.mids],
        marks=(_marks("buys", "buy", fills), _marks("sells", "sell", fills)),
        note="The line is the middle of the spread."
        + (f" Dashed: {len(gaps):,} gaps in the recorded streams of this market." if gaps else ""),
        gaps=gaps,
    )
    charts = [price]
    if any((each.exchange, each.symbol) == (exchange, symbol) for each in result.markets):
        positions = [Point(each.at_ns // NS_PER_MS, float(each.positions.get(market, 0))) for each in samples]
        charts += [Chart("Position", base, positions, "step", "own", from_zero=True)]
        charts += [_slippage_chart(fills)] if any(not fill.is_maker for fill in fills) else []
    return _charts_section(market, charts)


def _charts_section(title: str, charts: Iterable[Chart]) -> str:
    drawn = "".join(map(html_of, charts))
    return f"<h2>{escape(title)}</h2><section class='charts' aria-label='{escape(title)}'>{drawn}</section>"


def _marks(label: str, css: str, fills: Sequence[OwnFill]) -> Marks:
    side = css
    points = [Point(fill.at_ns // NS_PER_MS, float(fill.price)) for fill in fills if fill.side == side]
    return Marks(label, css, points, is_ring=side == "sell")


def _equity_section(equity: EquityResult) -> str:
    """Return what all strategies and markets gained together in one currency."""
    return _charts_section(f"Profit in {equity.currency}", (_equity_chart(equity), _drawdown_chart(equity)))


def _equity_chart(equity: EquityResult) -> Chart:
    points = [Point(at_ms, float(value)) for at_ms, value in equity.curve]
    note = f"Realised and open profit of all markets in {equity.currency}, fees taken off."
    return Chart("Equity", equity.currency, points, "area", note=note, from_zero=True)


def _drawdown_chart(equity: EquityResult) -> Chart:
    peak, points = 0.0, []
    for at_ms, value in equity.curve:
        peak = max(peak, float(value))
        points.append(Point(at_ms, float(value) - peak))
    note = f"Deepest: {short(equity.deepest_drawdown)} {equity.currency}."
    return Chart("Drawdown", equity.currency, points, "area", "down", note=note, from_zero=True)


def _slippage_chart(fills: Sequence[OwnFill]) -> Chart:
    points = []
    for fill in fills:
        if not fill.is_maker and fill.expected:
            worse = fill.price - fill.expected if fill.side == "buy" else fill.expected - fill.price
            points.append(Point(fill.at_ns // NS_PER_MS, float(10_000 * worse / fill.expected)))
    note = "Takers' fills against the best price when they were decided; above zero is worse."
    return Chart("Slippage", "bps", points, "dots", "own", note=note, from_zero=True)


def _latency_section(compared: Compared) -> str:
    if not compared:
        return ""
    head = ("latency", "profit", "fees", "trades", "requests", "slippage, bps")
    rows = []
    for latency, result in compared:
        profit = ", ".join(f"{signed(each.profit)} {each.currency}" for each in result.equity) or "0"
        slips = sorted(each.slippage_bps for each in result.markets if each.slippage_bps is not None)
        slippage = " to ".join(f"{each}" for each in dict.fromkeys((*slips[:1], *slips[-1:])))
        rows.append(
            (
                latency_text(latency),
                profit,
                ", ".join(f"{short(fees)} {currency}" for currency, fees in _fees(result).items()) or "0",
                f"{sum(each.trades for each in result.markets):,}",
                f"{sum(sum(each.requests.values()) for each in result.strategies):,}",
                slippage or "none taken",
            )
        )
    return table_section("At other latencies", head, rows, bars=_latency_bars(compared))


def _latency_bars(compared: Compared) -> str:
    """Return a bar for the profit at each latency, in one currency after the other."""
    currencies = sorted({each.currency for _, result in compared for each in result.equity})
    charts = []
    for currency in currencies:
        gained = [
            (
                latency_text(latency),
                next((each.profit for each in result.equity if each.currency == currency), Decimal(0)),
            )
            for latency, result in compared
        ]
        charts.append(bars_of(f"Profit by latency, {currency}", [(name, float(profit)) for name, profit in gained]))
    return "".join(charts)


_MARKET_HEAD: Final = (
    *("strategy", "market", "profit", "realised", "open", "fees", "position", "bought", "sold", "turnover", "trades"),
)


def _market_row(market: MarketResult) -> Sequence[str]:
    return (
        market.strategy,
        f"{market.exchange} {market.symbol}",
        "no price" if market.profit is None else f"{signed(market.profit)} {market.currency}",
        signed(market.realised),
        "no price" if market.unrealised is None else signed(market.unrealised),
        ", ".join(f"{short(amount)} {code}" for code, amount in market.fees_by_currency.items()) or "0",
        short(market.position),
        short(market.bought),
        short(market.sold),
        short(market.turnover),
        f"{market.trades:,}",
    )


def _fills_section(fills: Sequence[OwnFill]) -> str:
    if not fills:
        return ""
    head = ("time (UTC)", "market", "side", "amount", "price", "fee", "as")
    rows = [
        (
            utc(fill.at_ns, with_ms=True),
            f"{fill.exchange} {fill.symbol}",
            fill.side,
            f"{fill.amount:,f}",
            f"{fill.price:,f}",
            f"{short(fill.fee.cost)} {fill.fee.currency}",
            "maker" if fill.is_maker else "taker",
        )
        for fill in fills[: -_LAST_FILLS - 1 : -1]
    ]
    more = f" The last {_LAST_FILLS} of {len(fills):,}; all are in fills.parquet." if len(fills) > _LAST_FILLS else ""
    return table_section("Fills, newest first", head, rows, more)


def _is_of(stream: str, exchange: str, symbol: str) -> bool:
    parts = stream.removeprefix("stream.").removeprefix("snapshot.").split(".", 3)
    return parts[1:2] == [exchange] and parts[3:] == [symbol]


def _gaps_section(gaps: Sequence[FoundGap]) -> str:
    head = ("time (UTC)", "stream", "messages", "reason")
    rows = [
        (utc(gap.at_ns, with_ms=True), gap.name, f"{gap.missing:,}" if gap.missing else "unknown", gap.reason)
        for gap in gaps[:_MOST_GAPS]
    ]
    more = f"The first {_MOST_GAPS} of {len(gaps):,}." if len(gaps) > _MOST_GAPS else ""
    return table_section("Missing in the data", head, rows, more)


def _errors_section(result: BacktestResult) -> str:
    rows = [(each.name, error) for each in result.strategies for error in each.first_errors]
    more = "The first of each kind, ten at most for each strategy." if rows else ""
    return table_section("Errors in hooks", ("strategy", "first raised"), rows, more)


def _facts(backtest: Backtest, result: BacktestResult) -> str:
    facts: list[tuple[str, str]] = []
    for strategy in result.strategies:
        facts.append(("strategy", f"{strategy.strategy} as {strategy.name}, tenant {strategy.tenant}"))
        facts.append(("configuration", encode(strategy.configuration).decode()))
        requests = ", ".join(f"{count:,} {action}" for action, count in strategy.requests.items())
        facts.append(("requests", requests or "none"))
        if strategy.stopped:
            facts.append(("stopped", strategy.stopped))
        if strategy.unfinished:
            facts.append(("unfinished", strategy.unfinished))
    settings = {name: value for name, value in result.settings.items() if value is not None}
    settings["latency"] = latency_text(backtest.settings.latency)
    settings["fees"] = "; ".join(fee_text(exchange, rates) for exchange, rates in backtest.settings.fees.items())
    facts += [(name, value if isinstance(value, str) else encode(value).decode()) for name, value in settings.items()]
    data = result.data
    facts.append(("recordings", ", ".join(data.recordings)))
    facts.append(("gaps", f"{data.gaps} with {data.missing:,} messages" if data.gaps else "none"))
    return facts_section("Settings and data", facts)


def _fees(result: BacktestResult) -> dict[str, Decimal]:
    """Return the value of all fees by the currency of profit."""
    return sums_by((market.currency, market.fees) for market in result.markets)


def _rounded(number: Decimal) -> Decimal:
    """Return a number with six digits, or with two behind the point if it has more before it."""
    return round(number, max(2, 5 - number.adjusted()))
