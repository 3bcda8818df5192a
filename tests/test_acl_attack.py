"""Every command of the server, sent by every service's user at every name that the user must not touch.

The commands come from the server itself, so a newer server is attacked with its newer commands. Nothing is believed of
replies: what a user must not read has a mark that no reply may hold, and what it must not write has to be the same
afterwards.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import hiredis
import pytest
import pytest_asyncio
import redis.asyncio as redis_asyncio
from tests.support.secured import HOST, SecuredServer, password_of, secured_server
from tests.test_acl import SERVICES, rows

KEYS_A_COMMAND = int(os.environ.get("MILLRACE_TEST_ACL_KEYS", "2"))
"""At how many names each command is aimed, in turn; 100 are all of them."""
MARK = "mark-that-nobody-may-read"
STRANGERS = {
    "string": "nobody.string", "hash": "nobody.hash", "set": "nobody.set", "sorted set": "nobody.sorted",
    "stream": "nobody.stream",
}  # fmt: skip
"""Names that no program of the platform has, of each type."""
PATTERNS = ("*", "?*", "[a-z]*", "__key*__:*", "__keyspace@0__:*", "stream.*", "*.traderActions", "nobody*", "\\*")
ANYTHING = "return redis.call(unpack(ARGV))"
LEAVES = {"QUIT", "RESET"}


class Target(NamedTuple):
    """A name, and what a service may do with it."""

    name: str
    kind: str
    readable: bool
    writable: bool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredServer]:
    """A Valkey with the users of the services."""
    async with secured_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


def targets(service: str) -> list[Target]:
    """Return names of every form of the protocol, and some that have none, with what the table says of each."""
    found = [Target(name, kind, readable=False, writable=False) for kind, name in STRANGERS.items()]
    for row in rows():
        for own in (True, False) if row.is_of_an_agent else (False,):
            for name in row.names(service.upper() if own else "SOMEBODY"):
                may = [row.allows(service, writing=writing, own=own) for writing in (False, True)]
                found.append(Target(name, row.kind.removeprefix("channel and "), *may))
    return found


async def plant(operator: Any, target: Target, mark: str) -> None:
    """Make a key whose content is a mark."""
    await operator.delete(target.name)
    match target.kind:
        case "string":
            await operator.set(target.name, mark)
        case "hash":
            await operator.hset(target.name, mark, mark)
        case "set":
            await operator.sadd(target.name, mark)
        case "sorted set":
            await operator.zadd(target.name, {mark: 1})
        case "stream":
            await operator.xadd(target.name, {"data": mark}, id="1-1")


class Attacker:
    """A connection of a service's user that sends whatever it is told, and goes on after whatever happens."""

    def __init__(self, server: SecuredServer, user: str) -> None:
        self._server, self._user = server, user
        self._numbers = itertools.count()
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect and sign in."""
        await self.close()
        self._reader, self._writer = await asyncio.open_connection(HOST, self._server.port)
        self._replies = hiredis.Reader(encoding="utf-8", errors="replace")
        signed_in = await self.send("HELLO", "3", "AUTH", self._user, password_of(self._user))
        assert "error" not in repr(signed_in).lower(), signed_in

    async def send(self, *command: str) -> list[Any]:
        """Return all that the server says until it has answered the command, messages on channels included."""
        assert self._writer is not None
        nonce = f"after-{next(self._numbers)}"
        self._writer.write(hiredis.pack_command(command) + hiredis.pack_command(("PING", nonce)))
        found: list[Any] = []
        async with asyncio.timeout(10):
            while not found or found[-1] != nonce:
                while (reply := self._replies.gets()) is not False:
                    found.append(reply)
                    if reply in ("QUEUED", "OK") and command[0] == "MULTI":
                        self._writer.write(hiredis.pack_command(("DISCARD",)) + hiredis.pack_command(("PING", nonce)))
                if not found or found[-1] != nonce:
                    if not (data := await self._reader.read(65_536)):
                        raise ConnectionError
                    self._replies.feed(data)
        return found[:-1]

    async def try_to(self, *command: str) -> str:
        """Send a command; return everything that was said, and connect again if that ended the connection."""
        try:
            said = repr(await self.send(*command))
        except (ConnectionError, TimeoutError):
            await self.open()
            return ""
        if command[0] in LEAVES:
            await self.open()
        return said

    async def close(self) -> None:
        """Disconnect."""
        if self._writer is not None:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()


async def commands(operator: Any) -> list[tuple[list[str], int]]:
    """Return every command and subcommand of the server, each with the least number of its words."""
    listed = await operator.execute_command("COMMAND")
    described = listed.values() if isinstance(listed, dict) else listed
    found: list[tuple[list[str], int]] = []
    for each in described:
        found.append(([each["name"].upper()], abs(each["arity"])))
        found += [(sub[0].upper().split("|"), abs(sub[1])) for sub in each.get("subcommands") or ()]
    return found


def attempts(words: list[str], least: int, target: str, own: str) -> Iterator[list[str]]:
    """Yield a command with a name in every place where it could take one, alone and beside a name of the user's own."""
    more = max(1, least - len(words))
    yield [*words, *[target] * more]
    yield [*words, own, *[target] * max(1, more - 1)]
    yield [*words, target, own, "1", "x"]
    yield [*words, "1", target, "x"]
    yield [*words, own, "1", target]
    yield [*words, "2", own, target]
    yield [*words, "STREAMS", target, "0"]
    yield [*words, target, "-", "+"]
    yield [*words, target, "0", "-1"]
    yield [*words, own, "BY", "nosort", "GET", target, "STORE", own]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_command_reads_or_changes_what_is_not_the_users(server: SecuredServer, service: str) -> None:
    """All commands × names × forms of arguments, sent plainly and by a script, as well as every wide subscription."""
    aims = targets(service)
    forbidden = [target for target in aims if not (target.readable and target.writable)]
    own = next((target.name for target in aims if target.writable and target.kind != "channel"), "nobody.string")
    operator: Any = redis_asyncio.Redis.from_url(server.url, decode_responses=True)
    attacker = Attacker(server, service)
    async with operator:
        for target in aims:
            await plant(operator, target, "free" if target.readable else MARK)
        before = await state(operator, forbidden)
        await attacker.open()
        leaks = await attack(attacker, await commands(operator), forbidden, own)
        leaks += await listen(attacker, operator, [target for target in aims if not target.readable])
        after = await state(operator, forbidden)
        await attacker.close()
    assert leaks == []
    assert {name: was for name, was in before.items() if after.get(name) != was} == {}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_attack_finds_what_a_user_may_do_too_much(server: SecuredServer) -> None:
    """One that may read everything is found out by each command that reads, and by scripts; so is one that writes."""
    operator: Any = redis_asyncio.Redis.from_url(server.url, decode_responses=True)
    careless = f">{password_of('careless')} ~* &* +@read +@connection +@scripting +@pubsub"
    attacker = Attacker(server, "careless")
    async with operator:
        await operator.execute_command("ACL", "SETUSER", "careless", "reset", "on", *careless.split())
        aims = targets("nobody")[: len(STRANGERS)]
        for target in aims:
            await plant(operator, target, MARK)
        before = await state(operator, aims)
        await attacker.open()
        leaks = await attack(attacker, await commands(operator), aims, STRANGERS["string"], each_at=len(aims))
        received = await listen(attacker, operator, aims)
        await operator.execute_command("ACL", "SETUSER", "careless", "+set")
        await attack(attacker, [(["SET"], 3)], aims, STRANGERS["string"])
        after = await state(operator, aims)
        await attacker.close()
        await operator.execute_command("ACL", "DELUSER", "careless")
    assert any("by a script" in leak for leak in leaks)
    assert {"GET", "XRANGE", "SMEMBERS", "HGETALL", "ZRANGE"} <= {leak.split("'")[1] for leak in leaks}
    assert received
    assert before != after


async def attack(
    attacker: Attacker,
    known: Iterable[tuple[list[str], int]],
    forbidden: list[Target],
    own: str,
    each_at: int = KEYS_A_COMMAND,
) -> list[str]:
    """Send everything, each command at some names; return those whose replies hold what the user may not read."""
    leaks: list[str] = []
    turn = itertools.cycle(forbidden)
    (loaded, *_) = await attacker.send("SCRIPT", "LOAD", ANYTHING)
    for words, least in known:
        for target in itertools.islice(turn, min(each_at, len(forbidden))):
            for command in attempts(words, least, target.name, own):
                leaks += [repr(command)] if MARK in await attacker.try_to(*command) else []
                if isinstance(loaded, str):
                    scripted = await attacker.try_to("EVALSHA", loaded, "1", own, *command)
                    leaks += [f"by a script: {command}"] if MARK in scripted else []
    return leaks


async def listen(attacker: Attacker, operator: Any, unreadable: list[Target]) -> list[str]:
    """Subscribe as widely as can be; return what is received of channels that are not the user's."""
    for pattern in (*PATTERNS, *(target.name for target in unreadable)):
        for verb in ("PSUBSCRIBE", "SUBSCRIBE", "SSUBSCRIBE"):
            await attacker.try_to(verb, pattern)
    for target in unreadable:
        await operator.publish(target.name, MARK)
    return [said for said in [repr(await attacker.send("PING", "now"))] if MARK in said]


async def state(operator: Any, forbidden: Iterable[Target]) -> dict[str, Any]:
    """Return what the user must not change: foreign names, how long they are kept, users, scripts' server, settings."""
    kept = {
        target.name: (
            await operator.execute_command("DUMP", target.name, NEVER_DECODE=True),
            await operator.pttl(target.name),
        )
        for target in forbidden
        if not target.writable and target.kind != "channel"
    }
    return kept | {
        "users": await operator.execute_command("ACL", "LIST"),
        "settings": await operator.config_get("*"),
        "functions": await operator.execute_command("FUNCTION", "LIST"),
        "role": (await operator.execute_command("ROLE"))[0],
    }
