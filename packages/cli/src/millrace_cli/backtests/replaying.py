"""`millrace replay`: a strategy's recorded decisions beside those that it makes now, and the first difference."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace_cli.backtests.arguments import StrategyArguments, moment_ns
from millrace_cli.option_groups import grouped
from millrace_cli.options import AsJson
from millrace_cli.running import run_short

if TYPE_CHECKING:
    from millrace_backtest.replay import Cause, Difference, Replayed
    from millrace_core.requests import OrderRequest

_LONGEST = 300


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("replay")
    @grouped
    def replay_command(
        arguments: StrategyArguments,
        since: Annotated[
            str | None, typer.Option(help="When it started, if after the recording: ISO-8601 or ms since 1970.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Let a strategy decide again on its recorded run, and show the first decision that is another one.

        Answers and own orders come as they were recorded. The exit code is 1 if there is a difference.

        Example: millrace replay --strategy PingPong -c '{"amount": 1}' --data recordings
        """

        async def work() -> "Replayed":
            from millrace_backtest.replay import replay
            from millrace_backtest.scan import scan

            sources = arguments.sources()
            scanned = scan(sources)
            return await replay(arguments.only_plan(scanned), sources, scanned, moment_ns(since))

        found = run_short(work(), as_json=as_json)
        if as_json:
            typer.echo(json.dumps(_document(found)))
        else:
            typer.echo("\n".join(_lines(found)))
        if found.difference is not None:
            raise typer.Exit(1)


def _lines(found: "Replayed") -> list[str]:
    lines = [f"{len(found.recorded)} decisions were recorded, {len(found.now)} are made now; {found.same} are the same"]
    difference = found.difference
    if difference is None:
        return lines
    return [
        *lines,
        f"decision {difference.number}:",
        f"  recorded: {_described(difference.recorded)}",
        *_cause_lines(difference.recorded_cause),
        f"  now:      {_described(None if difference.now is None else difference.now.request)}",
        *_cause_lines(difference.now_cause),
    ]


def _described(request: "OrderRequest | None") -> str:
    from millrace_backtest.replay import Decision

    if request is None:
        return "no further decision"
    decided = request.trace.decided
    at = "" if decided is None else f" at {_utc(decided)}"
    return f"{Decision.of(request)}{at}"


def _cause_lines(cause: "Cause | None") -> list[str]:
    if cause is None:
        return ["    not caused by a message: a timer, or an answer"]
    body = cause.body if len(cause.body) <= _LONGEST else f"{cause.body[:_LONGEST]}…"
    return [f"    on {cause.name} {cause.id}, which arrived at {_utc(cause.at_ns)}", f"    {body}"]


def _document(found: "Replayed") -> dict[str, Any]:
    shown = {"recorded": len(found.recorded), "now": len(found.now), "same": found.same}
    return shown | {"difference": None if found.difference is None else _difference(found.difference)}


def _difference(difference: "Difference") -> dict[str, Any]:
    now = None if difference.now is None else difference.now.request
    causes = {"recordedCause": difference.recorded_cause, "nowCause": difference.now_cause}
    return {
        "number": difference.number,
        "recorded": _described(difference.recorded),
        "now": _described(now),
        **{name: None if cause is None else cause._asdict() for name, cause in causes.items()},
    }


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%H:%M:%S.%f}"
