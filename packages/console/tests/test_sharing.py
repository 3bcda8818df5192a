"""What pages share: made for the first, ended with the last; and ticks at which markets are drawn."""

import asyncio
from contextlib import ExitStack

import pytest

from millrace_console.pages.market.ticks import Ticks
from millrace_console.sharing import Shares


def test_what_is_shared_ends_with_its_last_user() -> None:
    """Equal keys share; what could not be made leaves nothing behind."""
    shares, ended = Shares(), list[str]()

    def make(ending: ExitStack) -> list[str]:
        ending.callback(ended.append, "ended")
        return []

    def fail(ending: ExitStack) -> None:
        make(ending)
        raise ValueError

    with shares.using(("a", 1), make) as first:
        with shares.using(("a", 1), make) as second, shares.using(("a", 2), make) as other:
            assert first is second is not other
        assert ended == ["ended"]
    assert ended == ["ended"] * 2
    with pytest.raises(ValueError), shares.using("b", fail):
        pass
    assert ended == ["ended"] * 3
    with shares.using(("a", 1), make) as again:
        assert again is not first


async def test_a_market_that_cannot_be_drawn_does_not_end_the_others() -> None:
    """It may be another tenant's; what has ended is drawn no more."""
    drawn: asyncio.Queue[str] = asyncio.Queue()

    def fail() -> None:
        raise ValueError

    with ExitStack() as ending:
        ticks = Ticks(0.001, ending)
        ticks.call(fail, ending)
        with ExitStack() as page:
            ticks.call(lambda: drawn.put_nowait("left"), page)
            await asyncio.wait_for(drawn.get(), 20)
        while not drawn.empty():
            drawn.get_nowait()
        ticks.call(lambda: drawn.put_nowait("stays"), ending)
        assert {await asyncio.wait_for(drawn.get(), 20) for _ in range(3)} == {"stays"}
