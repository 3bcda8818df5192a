"""`millrace data import|resample|from-database`: recordings made of files, of other recordings, of the database."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from millrace_cli.backtests.arguments import moment_ns, new_file
from millrace_cli.backtests.progress import messages_bar, share_bar
from millrace_cli.options import DEFAULT_DIR, AsJson, DatabaseDir, DatabaseUrl, Since, TenantOption, Until, url_of
from millrace_cli.running import CommandFailed, plain_errors, run_short
from millrace_core import names
from millrace_core.clock import NS_PER_MS

if TYPE_CHECKING:
    from millrace_backtest.imports.importing import Imported
    from millrace_backtest.recording.resampling import Resampling

Paths = Annotated[list[Path], typer.Argument(exists=True, help="Recordings, or folders of them.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write, or a folder for a file named by now.")]


def add_making_commands(data: typer.Typer) -> None:
    """Add the commands to `data`."""
    _add_import(data)
    _add_resample(data)
    _add_from_database(data)


def _add_import(data: typer.Typer) -> None:
    @data.command("import")
    def import_command(
        files: Annotated[
            list[Path], typer.Argument(exists=True, dir_okay=False, help="CSV files of one market: plain, .gz or .zip.")
        ],
        exchange: Annotated[str, typer.Option(help="The exchange's ccxt id, such as binance.")],
        symbol: Annotated[str, typer.Option(help="ccxt's symbol, such as BTC/USDT.")],
        out: Out,
        tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose streams they become.")] = names.PUBLIC,
        as_json: AsJson = False,
    ) -> None:
        """Make a recording of CSV files of Tardis.dev, or of Binance's public data.

        Books, trades, quotes and candles are recognised by their header, or by the name of the file.

        Example: millrace data import BTCUSDT-trades-2026-01.zip --exchange binance --symbol BTC/USDT --out recordings
        """
        from millrace_backtest.imports.importing import import_files

        console = Console(stderr=True)
        with plain_errors(as_json=as_json), share_bar(console) as progress:
            if not names.is_exchange(exchange):
                raise CommandFailed(f"{exchange!r} is no exchange: name its ccxt id, such as binance")
            market = names.StreamName(
                names.tenant(tenant), names.ExchangeId(exchange), names.Action("watchOrderBook"), names.symbol(symbol)
            )
            task = progress.add_task("importing", total=sum(file.stat().st_size for file in files))
            file = new_file(out)
            found = import_files(files, market, file, lambda done: progress.update(task, completed=done))
        _print_imported(file, found, as_json=as_json)


def _print_imported(file: Path, found: "Imported", *, as_json: bool) -> None:
    if as_json:
        shown = {"file": str(file), "messages": found.messages, "streams": found.streams, "uncrossed": found.uncrossed}
        typer.echo(json.dumps(shown))
        return
    removed = f"; {found.uncrossed:,} levels that newer ones crossed were removed" if found.uncrossed else ""
    streams = [name for name in found.streams if not names.is_snapshot(name)]
    typer.echo(f"{file}: {found.messages:,} messages of {', '.join(streams)}{removed}")


def _add_resample(data: typer.Typer) -> None:
    @data.command("resample")
    def resample_command(
        paths: Paths,
        out: Out,
        interval: Annotated[
            list[str] | None,
            typer.Option(metavar="TIMEFRAME", help="Make candles of the trades, such as 10s, 1m or 1M. Repeatable."),
        ] = None,
        books: Annotated[
            int | None, typer.Option(min=1, metavar="MS", help="Write books at most once in so many ms.")
        ] = None,
        streams: Annotated[
            list[str] | None,
            typer.Option(metavar="PATTERN", help="Other streams to copy; by default all. Repeatable."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Make a recording of others: with candles built from trades, or with fewer changes of books.

        Example: millrace data resample recordings --interval 1m --books 1000 --out smaller.jsonl.gz
        """
        from millrace_backtest.recording.resampling import Resampling

        wanted = Resampling(interval or (), books, streams or ())
        with plain_errors(as_json=as_json):
            if not interval and books is None:
                raise CommandFailed("say what to make: candles with --interval, fewer changes of books with --books")
            file = new_file(out)
            messages = _resample(paths, file, wanted)
        _print_made(file, messages, as_json=as_json)


def _resample(paths: list[Path], file: Path, wanted: "Resampling") -> int:
    from millrace_backtest.recording.files import recordings
    from millrace_backtest.recording.resampling import resample

    with messages_bar(Console(stderr=True)) as progress:
        task = progress.add_task("resampling", total=None)
        try:
            return resample(recordings(paths), file, wanted, lambda done: progress.update(task, completed=done))
        except ValueError as error:
            raise CommandFailed(str(error)) from error


def _add_from_database(data: typer.Typer) -> None:
    @data.command("from-database")
    def from_database_command(
        tenant: TenantOption,
        out: Out,
        exchange: Annotated[str | None, typer.Option(help="Only this exchange, such as binance.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only this symbol, such as ETH/BTC.")] = None,
        since: Since = None,
        until: Until = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Make a recording of the market data that dbsync stored, with what it found missing.

        Example: millrace data from-database --tenant PUBLIC --since 2026-01-31 --out stored.jsonl.gz
        """
        from millrace_store import Scope

        scope = Scope(
            tenant,
            exchange=None if exchange is None else names.ExchangeId(exchange),
            symbol=None if symbol is None else names.symbol(symbol),
            since_ms=_ms(since),
            until_ms=_ms(until),
        )
        with plain_errors(as_json=as_json):
            file = new_file(out)
        messages = run_short(_from_database(url_of(database_url, data_dir), scope, file), as_json=as_json)
        _print_made(file, messages, as_json=as_json)


async def _from_database(url: str, scope: Any, file: Path) -> int:
    from millrace_backtest.recording.stored import record_stored
    from millrace_cli.database import existing
    from millrace_store import Store

    async with Store.open(existing(url), migrate=False) as store:
        with messages_bar(Console(stderr=True)) as progress:
            task = progress.add_task("reading", total=None)
            return await record_stored(
                store, scope, file, lambda writer: progress.update(task, completed=writer.messages)
            )


def _print_made(file: Path, messages: int, *, as_json: bool) -> None:
    shown = {"file": str(file), "messages": messages}
    typer.echo(json.dumps(shown) if as_json else f"{file}: {messages:,} messages")


def _ms(text: str | None) -> int | None:
    moment = moment_ns(text)
    return None if moment is None else moment // NS_PER_MS
