"""Redis users: each service may do what docs/protocol.md says of it, on a real Valkey, and nothing else."""

import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import redis.asyncio as redis_asyncio
from tests.support.platform import ROOT
from tests.support.secured import SecuredServer, acl, secured_server
from typer.testing import CliRunner

from millrace_cli.main import app

SERVICES = ("gatherer", "magicbox", "executor", "dbsync", "api", "alerts")
EXAMPLES = {
    "tenant": "StrankaXY",
    "exchange": "kucoin",
    "watched": "watchOrderBook",
    "symbol": "KCS/USDT:USDT.x",
    "order id": "341",
    "owner": "default",
    "limit": "REQUEST_WEIGHT",
}
ANSWERED = ("createOrder", "cancelOrder", "editOrder", "cancelAllOrders", "halt", "resume", "unknown")
PROBES = {
    "string": (["GET {}"], ["SET {} x"]),
    "hash": (["HGETALL {}"], ["HSET {} f x"]),
    "set": (["SMEMBERS {}"], ["SADD {} x"]),
    "sorted set": (["ZRANGEBYSCORE {} 0 1"], ["ZADD {} 1 x"]),
    "channel": (["SUBSCRIBE {}"], ["PUBLISH {} x"]),
    "stream": (["XRANGE {} - +"], ["XADD {} * data x"]),
    "channel and stream": (["SUBSCRIBE {}", "XRANGE {} - +"], ["PUBLISH {} x", "XADD {} * data x"]),
}
FORBIDDEN = (
    *("FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "SHUTDOWN", "SAVE", "MONITOR"),
    *("CONFIG GET *", "CONFIG SET dir /tmp", "ACL LIST", "ACL WHOAMI", "DEBUG SLEEP 0", "CLIENT LIST"),
    *("CLIENT KILL TYPE normal", "EVAL return(1) 0", "FUNCTION LIST", "REPLICAOF NO ONE", "MIGRATE h 1 k 0 1"),
    *("PSUBSCRIBE *", "SUBSCRIBE other", "PUBLISH other x", "GET other", "SET other x", "DEL StrankaXY.traderActions"),
    *("PSUBSCRIBE __keyspace@*__:*", "RENAME agent.GATHERER x", "COPY stream.config.EXECUTOR agent.GATHERER"),
)


class Row(NamedTuple):
    """One name of the protocol's table."""

    name: str
    kind: str
    writers: str
    readers: str

    @property
    def is_of_an_agent(self) -> bool:
        """Tell whether each agent has one of this name."""
        return "<agent id>" in self.name

    def names(self, agent: str) -> list[str]:
        """Return names of this form, of an agent if it names one."""
        text = self.name.replace("<agent id>", agent).replace("[", "").replace("]", "")
        for part, example in EXAMPLES.items():
            text = text.replace(f"<{part}>", example)
        return [text.replace("<answered>", action) for action in ANSWERED] if "<answered>" in text else [text]

    def allows(self, service: str, *, writing: bool, own: bool) -> bool:
        """Tell whether the table lets a service read or write; `own` names are those of its own agent."""
        cells = self.writers if writing else f"{self.writers}, {self.readers}"
        allowed = False
        for cell in filter(None, cells.split(", ")):
            who, _, remark = cell.partition(" (")
            allowed |= who.lower() in (service, "every agent")
            allowed |= own and who == "that agent" and (remark.rstrip(")") not in SERVICES or service in remark)
        return allowed


def rows() -> list[Row]:
    """Return the table of docs/protocol.md."""
    table = (ROOT / "docs" / "protocol.md").read_text().partition("| name | type in Redis |")[2].partition("\n\n")[0]
    found = []
    for line in table.splitlines()[2:]:
        name, kind, _, writers, readers = (cell.strip() for cell in line.strip("|").split("|"))
        found.append(Row(name.strip("`"), kind.partition(", ")[0], writers, readers))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredServer]:
    """A Valkey with the users of the services."""
    async with secured_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def operator(server: SecuredServer) -> AsyncIterator[Any]:
    """A person's client, who may ask what others may do."""
    client: Any = redis_asyncio.Redis.from_url(server.url, decode_responses=True)
    async with client:
        yield client


async def may(operator: Any, service: str, command: str) -> bool:
    """Tell whether the server would let a service run a command."""
    return bool(await operator.execute_command("ACL", "DRYRUN", service, *command.split()) == "OK")


async def differences(operator: Any, row: Row, service: str) -> list[str]:
    """Return the commands for which the server and the table differ."""
    found = []
    for own in (True, False) if row.is_of_an_agent else (False,):
        for name in row.names(service.upper() if own else "SOMEBODY"):
            for writing, probes in enumerate(PROBES[row.kind]):
                wanted = row.allows(service, writing=bool(writing), own=own)
                found += [
                    f"{service}: {probe.format(name)} must {'' if wanted else 'not '}be allowed"
                    for probe in probes
                    if await may(operator, service, probe.format(name)) != wanted
                ]
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
async def test_the_server_allows_what_the_table_says_and_nothing_else(operator: Any, row: Row) -> None:
    """All services × this name × reading and writing."""
    assert [text for service in SERVICES for text in await differences(operator, row, service)] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_may_do_what_no_name_of_the_protocol_needs(operator: Any, service: str) -> None:
    """Neither administration, nor the keyspace as a whole, nor foreign names, nor another service's configuration."""
    assert [command for command in FORBIDDEN if await may(operator, service, command)] == []


async def test_only_the_executor_takes_requests(operator: Any) -> None:
    """It reads them as a consumer group; who trades writes them, and the executor what was typed on the channel."""
    takes = "XREADGROUP GROUP executor c STREAMS StrankaXY.traderActions >"
    assert [service for service in SERVICES if await may(operator, service, takes)] == ["executor"]
    writes = "XADD StrankaXY.traderActions * data x"
    assert {service for service in SERVICES if await may(operator, service, writes)} == {"magicbox", "api", "executor"}


async def test_who_follows_configurations_hears_of_its_own_and_dbsync_of_all(operator: Any) -> None:
    """The announcements of changed keys reach nobody else."""
    for service in SERVICES:
        assert await may(operator, service, f"PSUBSCRIBE __keyspace@*__:stream.config.{service.upper()}")
        everything = await may(operator, service, "PSUBSCRIBE __keyspace@*__:stream.config.*")
        assert everything == (service == "dbsync")


async def test_nobody_gets_in_without_a_name(server: SecuredServer) -> None:
    """The user `default` is off."""
    client: Any = redis_asyncio.Redis(port=server.port)
    async with client:
        with pytest.raises(redis_asyncio.AuthenticationError):
            await client.ping()


def test_several_agents_of_a_service_share_its_user() -> None:
    """Each of them has its own keys; those of the default id are nobody's then."""
    text = acl("--agent", "executor=EXECUTOR-1", "--agent", "executor=EXECUTOR-2")
    (executor,) = [line for line in text.splitlines() if line.startswith("user executor ")]
    assert {"%R~stream.config.EXECUTOR-1", "%R~stream.config.EXECUTOR-2"} <= set(executor.split())
    assert "%R~stream.config.EXECUTOR" not in executor.split()


def test_no_password_stands_in_the_file() -> None:
    """It holds digests, or, to be filled in by another tool, what no server takes for a digest."""
    assert "password-of" not in acl()
    placeholders = re.findall(r" reset on (\S+)", acl("--placeholders"))
    assert placeholders[-1] == "#${MILLRACE_REDIS_PASSWORD_OPERATOR_SHA256}"
    assert len(placeholders) == len(SERVICES) + 1


def test_what_is_missing_is_named() -> None:
    """A user without a password would be one whom everybody knows."""
    result = CliRunner().invoke(app, ["acl"], env={"MILLRACE_REDIS_PASSWORD_API": "x"})
    assert result.exit_code == 1
    assert "MILLRACE_REDIS_PASSWORD_GATHERER" in result.output
    assert "MILLRACE_REDIS_PASSWORD_API" not in result.output
    result = CliRunner().invoke(app, ["acl", "--placeholders", "--agent", "exector=E"])
    assert result.exit_code == 1
    assert "with a service of alerts, api" in result.output
