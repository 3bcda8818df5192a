"""The ledger on a real server."""

import asyncio

from millrace_bus import Bus
from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Tenant

KUCOIN = ExchangeId("kucoin")


async def test_a_request_is_claimed_once(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """Of all who claim, one gets None and the others what that one wrote."""
    request_id = new_request_id()
    claims = await asyncio.gather(
        *(
            side.intents.claim(tenant, KUCOIN, request_id, b"%d" % number)
            for number, side in enumerate((bus, other, bus, other))
        )
    )
    winner = claims.index(None)
    assert [claim for claim in claims if claim is not None] == [b"%d" % winner] * 3


async def test_the_same_claim_again_is_ones_own(bus: Bus, tenant: Tenant) -> None:
    """A claim that is tried again because its answer was lost succeeds."""
    request_id = new_request_id()
    assert await bus.intents.claim(tenant, KUCOIN, request_id, b"mine") is None
    assert await bus.intents.claim(tenant, KUCOIN, request_id, b"mine") is None


async def test_settling_and_removing(bus: Bus, tenant: Tenant) -> None:
    """What is settled stands in the place of the intent; what is removed may be claimed again."""
    one, two = new_request_id(), new_request_id()
    await bus.intents.claim(tenant, KUCOIN, one, b"pending")
    await bus.intents.settle(tenant, KUCOIN, one, b"done")
    await bus.intents.claim(tenant, KUCOIN, two, b"pending")
    assert await bus.intents.all(tenant, KUCOIN) == {one: b"done", two: b"pending"}
    await bus.intents.remove(tenant, KUCOIN, one)
    await bus.intents.remove(tenant, KUCOIN)
    assert await bus.intents.get(tenant, KUCOIN, one) is None
    assert await bus.intents.claim(tenant, KUCOIN, one, b"new") is None
