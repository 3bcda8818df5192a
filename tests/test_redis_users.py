"""The whole platform, each service under its own Redis user."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import databases
from tests.support.platform import STORED_KINDS, Platform, until
from tests.support.secured import SecuredServer, secured_server
from tests.support.served import Api, api_of

from millrace_bus.server.ports import free_port

KINDS = (*STORED_KINDS, "alerts")
REQUESTS = "StrankaXY.traderActions"
UNSEEN_SETTING = "config|get"
"""What the ACL withholds although services try it: the settings hold the server's passwords."""


class SecuredPlatform(Platform):
    """A platform on a server that knows a user for each service."""

    server: SecuredServer

    def redis_url(self, name: str) -> str:
        """Return the address with the service's own user."""
        return self.server.url_of(name)


@pytest.mark.system
async def test_every_service_works_under_its_own_user(tmp_path: Path) -> None:
    """From books to a fill that the API shows, a halt, a restart and a mistake: Redis refuses nothing needed."""
    port = free_port(0)
    async with databases.sqlite(tmp_path) as database, secured_server(tmp_path) as server:
        platform = SecuredPlatform(tmp_path, server, port, database)
        try:
            await platform.start("simulator", "--port", str(port))
            for kind in KINDS:
                await platform.configure(kind, platform.example(kind))
                await platform.start_service(kind)
            await until(lambda: all_alive(platform), "every agent sends heartbeats", timeout=90, platform=platform)
            async with api_of(platform) as api:
                await until(lambda: filled(api), "the API shows a fill", timeout=60, platform=platform)
                await halts_and_trades_again(platform, api)
            await answers_what_it_cannot_carry_out(platform)
            await until(lambda: restarts(platform), "magicbox runs its strategy afresh", platform=platform)
            refused = await platform.redis.execute_command("ACL", "LOG")
        finally:
            await platform.close()
    assert [entry for entry in refused if entry["object"] != UNSEEN_SETTING] == []
    assert "are noticed some seconds late" not in "".join(platform.log(kind) for kind in KINDS)


async def all_alive(platform: Platform) -> bool:
    """Tell whether every agent has left a heartbeat."""
    return all([await platform.heartbeat(kind) for kind in KINDS])


async def filled(api: Api) -> list[dict[str, Any]]:
    """Return the strategy's filled orders, as the database has them."""
    return [row for row in await api.all("/orders") if row["order"]["status"] == "closed"]


async def halts_and_trades_again(platform: Platform, api: Api) -> None:
    """Halt by the API and lift that; the executor hears of both."""
    assert (await api.ask("POST", "/halts", json={"reason": "a test"})).status < 300

    async def is_answered() -> Any:
        return await platform.redis.exists("stream.StrankaXY.all.halt")

    await until(is_answered, "the executor answers the halt", platform=platform)
    assert (await api.ask("DELETE", "/halts")).status < 300


async def answers_what_it_cannot_carry_out(platform: Platform) -> None:
    """A request with a mistake, typed by hand, gets its answer."""
    await platform.redis.publish(REQUESTS, '{"action":"fly","exchangeId":"binance","payload":{}}')
    name = "stream.StrankaXY.binance.unknown"
    await until(lambda: platform.redis.exists(name), "a mistake is answered", platform=platform)


async def restarts(platform: Platform) -> bool:
    """Tell whether magicbox was asked for a restart, as a person asks for it."""
    return bool(await platform.redis.publish("restart.MAGICBOX", "StrankaXY.PingPong"))
