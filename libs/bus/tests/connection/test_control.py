"""The control plane's connection."""

import asyncio

from millrace_bus import EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.control import Control, _Backoff, control_client


async def ends_by_cancellation(client: Control, turns: int) -> bool:
    """Cancel a command after so many turns of the loop; tell whether it ended by that, or was done before."""
    call = asyncio.ensure_future(client.set("key", 1))
    for _ in range(turns):
        await asyncio.sleep(0)
    asked = call.cancel()
    await asyncio.wait({call})
    return call.cancelled() or not asked


async def test_a_cancellation_is_never_swallowed(server: EmbeddedServer) -> None:
    """Wherever a command is when it is cancelled, from connecting to its answer, it ends as cancelled."""
    for turns in range(1, 60):
        client = control_client(Address.parse(server.url), "test")
        assert await ends_by_cancellation(client, turns), turns
        await client.aclose()


def test_the_delay_stays_bounded_for_ever() -> None:
    """After thousands of failures in a row it is still at most the cap, and no number overflows."""
    backoff = _Backoff(base=0.02, cap=0.5)
    assert all(0 <= backoff.compute(failures) <= 0.5 for failures in (0, 1, 10, 1_100, 1_000_000))
