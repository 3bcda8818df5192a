"""`millrace data list|check`: what recordings hold, and whether they are whole."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from millrace_cli.backtests.arguments import moment_ns
from millrace_cli.options import DEFAULT_DIR, AsJson, DatabaseDir, DatabaseUrl, TenantOption, url_of
from millrace_cli.running import plain_errors, run_short
from millrace_core import names
from millrace_core.clock import NS_PER_MS
from millrace_core.errors import MillraceError

if TYPE_CHECKING:
    from millrace_backtest.recording.summary import Checked

Paths = Annotated[list[Path], typer.Argument(exists=True, help="Recordings, or folders of them.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    data = typer.Typer(no_args_is_help=True, help="Show what recordings hold, and check them.")
    app.add_typer(data, name="data")
    _add_from_database(data)

    @data.command("list")
    def list_command(paths: Paths, as_json: AsJson = False) -> None:
        """List the streams of recordings: messages, time, and what is missing.

        Example: millrace data list recordings
        """
        found = _checked(paths, as_json=as_json)
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(found)))
        else:
            _print(found)

    @data.command("check")
    def check_command(paths: Paths, as_json: AsJson = False) -> None:
        """Prove that recordings are whole: by the ids of all messages and the checksums of books.

        The exit code is 1 if anything is missing or wrong.

        Example: millrace data check recordings
        """
        found = _checked(paths, as_json=as_json)
        if as_json:
            typer.echo(json.dumps({"whole": found.is_whole, "problems": found.problems}))
        else:
            total = sum(stream.messages for stream in found.streams.values())
            typer.echo("\n".join(found.problems) or f"whole: {total:,} messages of {len(found.streams)} journals")
        if not found.is_whole:
            raise typer.Exit(1)


def _checked(paths: list[Path], *, as_json: bool) -> "Checked":
    from millrace_backtest.recording.files import recordings
    from millrace_backtest.recording.summary import check

    with plain_errors(as_json=as_json):
        return check(recordings(paths))


def _print(found: "Checked") -> None:
    wide = max((len(name) for name in found.streams), default=0)
    typer.echo(f"{'stream':{wide}} {'messages':>10} {'from (UTC)':19} {'to (UTC)':19} missing")
    for name, stream in sorted(found.streams.items()):
        missing = f"{stream.missing:,} in {stream.gaps} gaps" if stream.gaps else "0"
        times = f"{_utc(stream.first_ns)} {_utc(stream.last_ns)}"
        typer.echo(f"{name:{wide}} {stream.messages:10,} {times} {missing}")
    for problem in found.problems:
        typer.echo(problem)


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _add_from_database(data: typer.Typer) -> None:
    @data.command("from-database")
    def from_database_command(
        tenant: TenantOption,
        out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
        exchange: Annotated[str | None, typer.Option(help="Only this exchange, such as binance.")] = None,
        symbol: Annotated[str | None, typer.Option(help="Only this symbol, such as ETH/BTC.")] = None,
        since: Annotated[str | None, typer.Option(help="Start, inclusive: ISO-8601 or ms since 1970.")] = None,
        until: Annotated[str | None, typer.Option(help="End, exclusive: ISO-8601 or ms since 1970.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Make a recording of the order books, trades and tickers that dbsync stored.

        Example: millrace data from-database --tenant PUBLIC --since 2026-01-31 --out stored.jsonl.gz
        """
        from millrace_backtest.recording.files import RecordingWriter
        from millrace_backtest.recording.stored import record_stored
        from millrace_cli.database import existing
        from millrace_store import Scope, Store

        scope = Scope(
            tenant,
            exchange=None if exchange is None else names.ExchangeId(exchange),
            symbol=None if symbol is None else names.symbol(symbol),
            since_ms=_ms(since),
            until_ms=_ms(until),
        )

        async def work() -> int:
            async with Store.open(existing(url_of(database_url, data_dir)), migrate=False) as store:
                with RecordingWriter(out, 0) as writer:
                    try:
                        await record_stored(store, scope, writer, lambda _writer: None)
                    except MillraceError:
                        out.unlink()
                        raise
                return writer.messages

        messages = run_short(work(), as_json=as_json)
        shown = {"file": str(out), "messages": messages}
        typer.echo(json.dumps(shown) if as_json else f"{out}: {messages:,} messages")


def _ms(text: str | None) -> int | None:
    moment = moment_ns(text)
    return None if moment is None else moment // NS_PER_MS
