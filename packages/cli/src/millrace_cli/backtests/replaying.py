"""`millrace replay`: a strategy's recorded run repeated, and the first decision that is another one."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace_cli.backtests.arguments import RecordingArguments, json_object, moment_ns
from millrace_cli.option_groups import grouped
from millrace_cli.options import AsJson
from millrace_cli.running import run_short

if TYPE_CHECKING:
    from millrace_backtest.replay.replay import Difference, Replayed
    from millrace_core.requests import OrderRequest

_LONGEST = 300
"""Characters of a request's terms that are shown."""


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("replay")
    @grouped
    def replay_command(
        arguments: RecordingArguments,
        strategy: Annotated[str, typer.Option("--strategy", help="The strategy, by the source that its orders carry.")],
        configuration: Annotated[
            str | None,
            typer.Option("--configuration", "-c", help="Other settings than it had: JSON, or @FILE."),
        ] = None,
        since: Annotated[
            str | None,
            typer.Option("--from", help="Leave out runs that ended before: ISO-8601 or ms since 1970."),
        ] = None,
        until: Annotated[
            str | None, typer.Option("--to", help="Repeat nothing after: ISO-8601 or ms since 1970.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Repeat a strategy's recorded runs, and show the first decision that is another one now.

        It takes in what it took in then, in the same order and at the same times. The exit code is 1 if there is a
        difference.

        Example: millrace replay --strategy PingPong --data recordings --from 2026-11-28T15:00 --to 2026-11-28T15:10
        """

        async def work() -> "Replayed":
            from millrace_backtest.replay.replay import ReplayedStrategy, replay, tenant_of

            sources = arguments.sources()
            plan = ReplayedStrategy(
                tenant=arguments.tenant or tenant_of(sources, strategy),
                name=strategy,
                load=arguments.load,
                configuration=None if configuration is None else json_object(configuration),
                from_ns=moment_ns(since),
                to_ns=moment_ns(until),
            )
            return await replay(plan, sources)

        found = run_short(work(), as_json=as_json)
        if as_json:
            typer.echo(json.dumps(_document(found)))
        else:
            typer.echo("\n".join(_lines(found)))
        if found.difference is not None:
            raise typer.Exit(1)


def _lines(found: "Replayed") -> list[str]:
    unproven = f" ({found.unproven} by id alone: their requests are not recorded)" if found.unproven else ""
    return [
        f"{found.inputs:,} inputs of {found.runs} runs repeated: {found.recorded:,} decisions, {found.same:,} are made "
        f"again{unproven}",
        *(f"knowledge ends: {each}" for each in found.ends),
        *([f"{found.outside:,} more decisions are recorded, but not what was taken in"] if found.outside else ()),
        *(_difference_lines(found.difference) if found.difference is not None else ()),
        *_astray_lines(found),
    ]


def _difference_lines(difference: "Difference") -> list[str]:
    from millrace_backtest.replay.recorded_run import time_of

    *before, last = difference.causes
    return [
        f"decision {difference.number} is the first difference:",
        *(f"  before:   input {each.number} at {time_of(each.at_ns)}: {each.what}" for each in before),
        f"  on input {last.number} at {time_of(last.at_ns)}: {last.what}",
        f"  recorded: {_described(difference.recorded)}",
        f"  now:      {_described(difference.now)}",
    ]


def _astray_lines(found: "Replayed") -> list[str]:
    if (cause := found.astray) is None:
        return []
    return [f"from input {cause.number} on it has other timers, or awaits something else, than it did: {cause.what}"]


def _described(request: "OrderRequest | None") -> str:
    from millrace_backtest.replay.recorded_run import time_of
    from millrace_core.messages import encode
    from millrace_core.requests import action_of

    if request is None:
        return "no decision"
    decided = request.trace.decided
    at = "" if decided is None else f" at {time_of(decided)}"
    payload = encode(request.payload).decode()
    shown = payload if len(payload) <= _LONGEST else f"{payload[:_LONGEST]}…"
    return f"{action_of(request)} {shown}{at}"


def _document(found: "Replayed") -> dict[str, Any]:
    difference = found.difference
    return {
        "runs": found.runs,
        "inputs": found.inputs,
        "recorded": found.recorded,
        "same": found.same,
        "unproven": found.unproven,
        "outside": found.outside,
        "ends": found.ends,
        "astray": None if found.astray is None else found.astray._asdict(),
        "difference": None if difference is None else _difference(difference),
    }


def _difference(difference: "Difference") -> dict[str, Any]:
    return {
        "number": difference.number,
        "recorded": None if difference.recorded is None else _described(difference.recorded),
        "now": None if difference.now is None else _described(difference.now),
        "causes": [each._asdict() for each in difference.causes],
    }
