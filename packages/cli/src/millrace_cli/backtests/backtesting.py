"""`millrace backtest`: a strategy over recordings, with its result as documents and a page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from millrace_cli.backtests.arguments import ExchangeArguments, StrategyArguments
from millrace_cli.backtests.progress import messages_bar
from millrace_cli.option_groups import grouped
from millrace_cli.options import AsJson
from millrace_cli.running import run_short

if TYPE_CHECKING:
    from millrace_backtest.backtest import Backtest
    from millrace_backtest.recording.files import Recording
    from millrace_backtest.result import BacktestResult
    from millrace_backtest.scan import Scan
    from millrace_backtest.settings import BacktestSettings


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("backtest")
    @grouped
    def backtest_command(
        arguments: StrategyArguments,
        exchanges: ExchangeArguments,
        latencies: Annotated[
            str | None, typer.Option(help="Further latencies to compare the result at, such as 1,5,20.")
        ] = None,
        out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="Folder for the results.")] = Path(
            "backtest"
        ),
        as_json: AsJson = False,
    ) -> None:
        """Run strategies over recordings, and write result.json, fills, requests and report.html.

        Example: millrace backtest --strategy PingPong -c '{"amount": 1}' --data recordings --latency 5
        """
        console = Console(stderr=True)

        async def work() -> "BacktestResult":
            settings = exchanges.settings()
            return await _run(arguments, arguments.sources(), settings, _listed(latencies), out, console)

        result = run_short(work(), as_json=as_json)
        if as_json:
            typer.echo((out / "result.json").read_text(), nl=False)
        else:
            _print(result, out)


async def _run(
    arguments: StrategyArguments,
    sources: "Sequence[Recording]",
    settings: "BacktestSettings",
    latencies: Sequence[str],
    out: Path,
    console: Console,
) -> "BacktestResult":
    from millrace_backtest.scan import scan

    with messages_bar(console) as progress:
        task = progress.add_task("reading", total=None)
        scanned = scan(sources, lambda messages: progress.update(task, completed=messages))
        progress.remove_task(task)
        first = await _backtest(arguments, sources, scanned, settings, progress)
        others = [
            await _backtest(arguments, sources, scanned, replace(settings, latency=each), progress)
            for each in latencies
        ]
    return _write(out, [source.path.name for source in sources], first, others)


def _write(out: Path, files: Sequence[str], first: "Backtest", others: "Sequence[Backtest]") -> "BacktestResult":
    from millrace_backtest.outputs import write_report, write_result, write_tables
    from millrace_backtest.result import result_of

    result = result_of(first, files)
    out.mkdir(parents=True, exist_ok=True)
    write_result(out, result)
    write_tables(out, first)
    compared = [(each.settings.latency, result_of(each, files)) for each in (first, *others)] if others else []
    write_report(out, first, result, compared)
    return result


async def _backtest(
    arguments: StrategyArguments,
    sources: "Sequence[Recording]",
    scanned: "Scan",
    settings: "BacktestSettings",
    progress: Progress,
) -> "Backtest":
    from millrace_backtest.backtest import Backtest

    plans = arguments.plans(scanned)
    task = progress.add_task(f"latency {settings.latency}", total=scanned.messages)
    backtest = Backtest(plans, sources, settings, scanned)

    def show(messages: int) -> None:
        progress.update(task, completed=messages)

    await backtest.run(show)
    return backtest


def _listed(latencies: str | None) -> Sequence[str]:
    return [each.strip() for each in latencies.split(",") if each.strip()] if latencies else ()


def _print(result: "BacktestResult", out: Path) -> None:
    for market in result.markets:
        profit = "profit unknown" if market.profit is None else f"profit {market.profit:,f} {market.currency}"
        fees = ", ".join(f"{amount:f} {code}" for code, amount in market.fees_by_currency.items()) or "none"
        slippage = "" if market.slippage_bps is None else f", slippage {market.slippage_bps:f} bps"
        typer.echo(
            f"{market.strategy} on {market.exchange} {market.symbol}: {profit}; {market.trades:,} trades, "
            f"{market.maker_trades:,} as maker, fees {fees}{slippage}; position {market.position:f}"
        )
    for strategy in result.strategies:
        requests = ", ".join(f"{count:,} {action}" for action, count in strategy.requests.items()) or "no requests"
        stopped = f"; stopped: {strategy.stopped}" if strategy.stopped else ""
        typer.echo(f"{strategy.name}: {requests}; {strategy.errors} errors{stopped}")
        for line in (*strategy.first_errors, *([strategy.unfinished] if strategy.unfinished else ())):
            typer.echo(f"  {line}")
    for equity in result.equity:
        typer.echo(f"deepest drawdown {equity.deepest_drawdown:,f} {equity.currency}")
    typer.echo(f"{out / 'report.html'}, result.json, fills.parquet, requests.parquet")
