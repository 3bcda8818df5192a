"""Runs a command to its end; an error becomes plain lines and exit code 1."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import typer

from millrace_bus import Bus, CommandRefused
from millrace_core.errors import MillraceError, Problem

ANSWER_LIMIT_S: Final = 5.0
"""How long Redis may take to answer at first."""

T = TypeVar("T")


class CommandFailed(MillraceError):
    """A command cannot do what it was asked for; the text says what is wrong and what to do."""

    def __init__(self, text: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(text)
        self.problems = tuple(problems)


def run(work: Callable[[asyncio.Event], Awaitable[None]], *, as_json: bool = False) -> None:
    """Run what may take long: `work` gets the event that Ctrl-C and SIGTERM set, and ends in order."""
    with plain_errors(as_json=as_json):
        asyncio.run(_until_signalled(work))


def run_short(work: Coroutine[Any, Any, T], *, as_json: bool = False) -> T:
    """Run what takes moments and return its result; Ctrl-C ends it at once."""
    with plain_errors(as_json=as_json):
        return asyncio.run(work)


@contextmanager
def plain_errors(*, as_json: bool = False) -> Iterator[None]:
    """Print an error as lines on standard error, or as JSON on standard output, and exit with code 1."""
    try:
        yield
    except MillraceError as error:
        problems: Sequence[Problem] = getattr(error, "problems", ())
        if as_json:
            typer.echo(json.dumps({"error": str(error), "problems": [problem._asdict() for problem in problems]}))
        else:
            lines = [str(problem) for problem in problems if str(problem) not in str(error)]
            typer.echo("\n  ".join([f"millrace: {error}", *lines]), err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        raise  # typer ends quietly when nobody reads its output any more
    except OSError as error:
        text = _text_of(error)
        typer.echo(json.dumps({"error": text, "problems": []}) if as_json else f"millrace: {text}", err=not as_json)
        raise typer.Exit(1) from error


def _text_of(error: OSError) -> str:
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, TimeoutError):
        return str(error) or "no answer came in time"
    return str(error) or type(error).__name__


def confirm(lines: Iterable[str], question: str, *, yes: bool, as_json: bool = False) -> None:
    """Print what will happen and ask whether it may; end the command unless the answer is yes.

    With `yes` nobody is asked.
    """
    if yes:
        return
    with plain_errors(as_json=as_json):
        if as_json:
            raise CommandFailed("nobody is asked with --json: add --yes")
    # On standard error, so that a script reads nothing but the result.
    typer.echo("\n".join(lines), err=True)
    typer.confirm(question, abort=True, err=True)


@asynccontextmanager
async def connected(redis_url: str, command: str) -> AsyncIterator[Bus]:
    """Return the bus of a Redis that answers.

    Raises:
        InvalidName: the address has another form.
        Unreachable: Redis does not answer within 5 s.
        CommandFailed: the user of the address may not do what the body does.
    """
    async with Bus.connect(redis_url, name=f"millrace-{command}") as bus:
        await bus.ready(ANSWER_LIMIT_S)
        try:
            yield bus
        except CommandRefused as error:
            if error.code != "NOPERM":
                raise
            raise CommandFailed(f"{error}: commands need the Redis user `operator`, see `millrace acl`") from error


async def _until_signalled(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(stop)
