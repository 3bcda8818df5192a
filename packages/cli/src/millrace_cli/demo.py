"""The demo: the whole platform on this machine, watched in the terminal, with nothing left running at the end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from rich.console import Console

from millrace_bus import Bus
from millrace_cli.dashboard import show
from millrace_cli.observer import Observer
from millrace_cli.picture import Picture, SeenError
from millrace_cli.platform import DemoOptions, Platform, running
from millrace_core.clock import now_ms
from millrace_core.errors import MillraceError


class DemoFailed(MillraceError):
    """The platform did not do what the demo shows; the text says what is missing."""


async def run(options: DemoOptions, console: Console, stop: asyncio.Event) -> Picture | None:
    """Run the demo until its time is over or `stop` is set; return what was observed, if it was not stopped before.

    Raises:
        MillraceError: a part could not be started; nothing is left running.
    """
    picture = Picture(time.monotonic())
    say = _silent if options.quiet else partial(console.print, soft_wrap=True, markup=False, highlight=False)

    def trouble(service: str, text: str) -> None:
        picture.saw_error(SeenError(now_ms(), service, text))
        if not console.is_terminal:
            say(f"{service} {text}")

    try:
        async with _stoppable(stop) as started, running(options, say, trouble) as platform:
            started.set()
            if not console.is_terminal:
                say("\n".join((platform.headline, *platform.tokens)))
            async with Bus.connect(platform.redis_url, name="demo") as bus:
                await _watch(platform, bus, picture, options, console, stop)
    except _StoppedEarly:
        return None
    if options.report:
        options.report.write_text(json.dumps(picture.report(time.monotonic()), indent=2) + "\n")
        say(f"Report: {options.report}")
    return picture


def judge(picture: Picture) -> None:
    """Accept a run that saw a fill and no error.

    Raises:
        DemoFailed: it did not.
    """
    missing = [f"{picture.error_count} errors"] if picture.error_count else []
    missing += ["no order was filled"] if picture.filled_after_s is None else []
    if missing:
        raise DemoFailed(f"the demo failed: {', '.join(missing)}")


class _StoppedEarly(Exception):
    """The demo was stopped while it was still starting."""


@asynccontextmanager
async def _stoppable(stop: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """Cancel the body when `stop` is set before the body has set the yielded event.

    Raises:
        _StoppedEarly: the body was cancelled, and has cleaned up.
    """
    started, ours = asyncio.Event(), asyncio.current_task()
    was_cancelled = False

    async def watch() -> None:
        nonlocal was_cancelled
        await stop.wait()
        if not started.is_set() and ours is not None:
            was_cancelled = ours.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield started
    except asyncio.CancelledError:
        if was_cancelled and ours is not None and ours.uncancel() == 0:
            raise _StoppedEarly from None
        raise
    finally:
        watching.cancel()


async def _watch(
    platform: Platform, bus: Bus, picture: Picture, options: DemoOptions, console: Console, stop: asyncio.Event
) -> None:
    observer = Observer(bus, picture)
    async with asyncio.TaskGroup() as group:
        observing = group.create_task(observer.run())
        showing = group.create_task(show(picture, console, platform.headline, platform.tokens, quiet=options.quiet))
        try:
            await platform.processes.until(stop, options.seconds)
        finally:
            observer.sample()
            observing.cancel()
            showing.cancel()


def _silent(*_text: object, **_options: object) -> None:
    """Print nothing."""
