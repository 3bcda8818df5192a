"""A platform full of recognisable secrets, in which everything fails in ways that print."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import redis.asyncio as redis_asyncio
from tests.canaries.echo_exchange import EchoExchange
from tests.canaries.planted import Canaries
from tests.support import databases
from tests.support.databases import Database
from tests.support.platform import STORED_KINDS, Platform, until

from millrace_bus import EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli import tokens
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_service.encryption import encrypt, new_key, parse_key

STRATEGIES = Path(__file__).parent / "strategies"
FIRST, SECOND, STRANGER = Tenant("StrankaXY"), Tenant("Neighbour"), Tenant("Stranger")
KINDS = (*STORED_KINDS, "alerts")
IN_FULL = os.environ.get("MILLRACE_TEST_CANARIES") == "all"
"""Whether every service and every holder of a token is tried; else those that could leak most."""
PLAIN = ("apiKey", "secret", "password")
KNOWN = "misplaced uid"
"""A secret that is in force, and is written in wrong places too."""
ROOMY = {"requestsPerSecond": 10_000, "burst": 10_000, "questions": 1_000}
ORDER = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 5}


class Scene(Platform):
    """The platform, with what was planted in it and what it has said."""

    def __init__(self, folder: Path, server: EmbeddedServer, port: int, database: Database) -> None:
        super().__init__(folder, server, port, database)
        self.canaries = Canaries()
        self.canaries.plant("password of Redis", server._password or "")
        self.key = self.canaries.plant("secret key", new_key())
        self.tokens: dict[str, str] = {}
        self.said: list[str] = []
        """Every message on any channel."""
        self.metrics_port, self.console_port = free_port(0), free_port(0)

    def environment(self, name: str, plugins: Path = STRATEGIES) -> dict[str, str]:
        """Return the settings of a process, with the key of the secrets."""
        return super().environment(name, STRATEGIES) | {"MILLRACE_SECRET_KEY": self.key}

    def account(self, tenant: Tenant, address: str) -> dict[str, Any]:
        """Return an account whose every secret is planted."""
        sealed = parse_key(self.key)
        proxy = self.canaries.word(f"proxy of {tenant}")
        held: dict[str, Any] = {
            name: encrypt(tenant, self.canaries.planted[f"{name} of {tenant}"], sealed)
            if tenant == SECOND
            else self.canaries.planted[f"{name} of {tenant}"]
            for name in PLAIN
        }
        host = address.removeprefix("http://")
        if tenant == FIRST:
            held["uid"] = self.canaries.planted[KNOWN]
        unused = {"other": f"http://user:{proxy}@{host}", "hook": f"http://{host}/?token={proxy}"}
        return held | {"urls": {"base": address, **unused}, "options": {"proxyPassword": proxy}}

    def plant_accounts(self) -> dict[str, tuple[str, ...]]:
        """Plant the secrets of both tenants' accounts; return the others by API key."""
        accounts = {}
        self.canaries.secret(KNOWN)
        for tenant in (FIRST, SECOND):
            key = self.canaries.word(f"apiKey of {tenant}")
            accounts[key] = tuple(self.canaries.secret(f"{name} of {tenant}") for name in PLAIN[1:])
        return accounts

    async def keep_listening(self) -> None:
        """Note every message on any channel, until cancelled."""
        client: Any = redis_asyncio.Redis.from_url(self.server.url)
        async with client, client.pubsub() as channels:
            await channels.psubscribe("*")
            async for message in channels.listen():
                self.said.append(f"{message['channel']!r} {_text(message['data'])}")


def _text(data: Any) -> str:
    return data.decode(errors="replace") if isinstance(data, bytes) else str(data)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Scene]:
    """Run the scene: what fails has failed when this returns."""
    password = 'Cnry/redis+7%"@:\\2f9b4'
    async with databases.sqlite(folder) as database:
        server = await EmbeddedServer.start(folder / "valkey", password=password)
        scene = Scene(folder, server, free_port(0), database)
        accounts = scene.plant_accounts()
        patient = scene.canaries.planted[f"apiKey of {SECOND}"]
        exchange = EchoExchange(scene.exchange_url, accounts, frozenset({patient}))
        listening = asyncio.create_task(scene.keep_listening())
        try:
            await scene.start("simulator", "--port", scene.exchange_url.rpartition(":")[2])
            await _start(scene, await exchange.listen())
            await _fail(scene)
            yield scene
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            await scene.close()
            await exchange.close()


async def _start(scene: Scene, address: str) -> None:
    documents = {kind: scene.example(kind) for kind in KINDS}
    accounts = {tenant: {"binance": scene.account(tenant, address)} for tenant in (FIRST, SECOND)}
    for kind in ("gatherer", "executor"):
        documents[kind]["exchanges"] |= accounts
    points = ["watchOrders", "watchMyTrades", "watchBalance"]
    plan = {"exchangeId": "binance", "assetPairs": ["KCS/USDT"], "dataPoints": points}
    documents["gatherer"]["workplans"][1:] = [{"tenant": tenant, **plan} for tenant in (FIRST, SECOND)]
    documents["dbsync"]["workplans"].append({"tenant": SECOND, "assets": [f"stream.{SECOND}.*"]})
    documents["executor"]["risk"] = {}
    documents["magicbox"]["workplans"] = [{"tenant": FIRST, "plugins": [_careless(scene)], "subscriptions": []}]
    documents["alerts"] |= _receivers(scene)
    documents["api"] |= {"requestsPerSecond": 10_000, "burst": 10_000, "tenantLimits": ROOMY}
    for kind, document in documents.items():
        await scene.configure(kind, document)
        if kind == "gatherer":
            await scene.start(kind, "--agent-id", "GATHERER", "--metrics-port", str(scene.metrics_port))
        else:
            await scene.start_service(kind)
    api = f"http://127.0.0.1:{scene.api_port}"
    await scene.start("console", "--port", str(scene.console_port), "--api-url", api)
    for tenant in (FIRST, SECOND, STRANGER, PUBLIC):
        assert scene.database is not None
        scene.tokens[tenant] = scene.canaries.plant(
            f"token of {tenant}", await _token(scene.database.url, tenant, scene)
        )


async def _token(url: str, tenant: Tenant, scene: Scene) -> str:
    async def made() -> str | None:
        with suppress(Exception):  # until a service has made the tables
            return await tokens.create(url, tenant, "canary", "admin", days=1)
        return None

    found: str = await until(made, "the database is there", platform=scene)
    return found


def _careless(scene: Scene) -> dict[str, Any]:
    planted = scene.canaries
    hook = f"https://hooks.example.com/services/{planted.word('webhook of a strategy')}"
    proxy = f"socks5://user:{quote(planted.secret('proxy of a strategy'), safe='')}@127.0.0.1:1"
    configuration = {"webhook": hook, "api_token": planted.secret("token of a strategy"), "proxy": proxy}
    return {"pluginName": "Careless", "configuration": configuration}


def _receivers(scene: Scene) -> dict[str, Any]:
    planted = scene.canaries
    plain = f"json://user:{planted.word('password of a plain receiver')}@127.0.0.1:1/{planted.word('path of it')}"
    hidden = f"slack://{planted.word('slack')}/bbbbbbbbb/cccccccccccccccccccccccc"
    return {
        "gatherSeconds": 0.1,
        "receivers": {
            PUBLIC: {"operator": plain},
            FIRST: {"client": encrypt(FIRST, hidden, parse_key(scene.key))},
        },
        "rules": [
            {"kind": "failedExecution", "notify": ["operator"], "quietSeconds": 0.1},
            {"kind": "unitFailed", "threshold": 0, "notify": ["operator"], "quietSeconds": 0.1},
            {"kind": "halt", "tenant": FIRST, "notify": ["client", "operator"]},
        ],
    }


async def _fail(scene: Scene) -> None:
    """Let everything fail, and wait until it has."""
    await _refused_orders(scene)
    await _careless_strategy(scene)
    await _unreadable_messages(scene)
    await _wrong_configurations(scene)
    await _database_away(scene)


async def _refused_orders(scene: Scene) -> None:
    for tenant in (FIRST, SECOND):
        request = {"action": "createOrder", "exchangeId": "binance", "payload": ORDER, "validFor": 2_000}
        await scene.redis.xadd(f"{tenant}.traderActions", {"data": json.dumps(request)})
        name = StreamName(tenant, ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))

        async def is_answered(places: tuple[StreamName, ...] = name.answer_places) -> Any:
            entries = [entry for place in places for entry in await scene.redis.xrange(str(place))]
            return any("error" in str(entry) and "kind" in str(entry) for entry in entries)

        await until(is_answered, f"the request of {tenant} is answered", platform=scene)


async def _careless_strategy(scene: Scene) -> None:
    async def has_failed() -> bool:
        beat = await scene.heartbeat("magicbox") or {}
        return any("cannot go on" in error["message"] for error in beat.get("lastErrors", []))

    await until(has_failed, "the careless strategy has failed", platform=scene)
    config = json.loads(json.dumps(scene.configs["magicbox"]))
    picky = dict(config["workplans"][0]["plugins"][0], pluginName="Picky")
    del picky["configuration"]["proxy"]
    config["workplans"][0]["plugins"] = [picky, {"pluginName": "Broken"}]
    await scene.redis.set("stream.config.MAGICBOX", json.dumps(config))
    await until(lambda: has_errors(scene, "magicbox"), "magicbox names the mistakes", platform=scene)


async def has_errors(scene: Scene, kind: str) -> Any:
    """Return the mistakes that an agent's heartbeat names."""
    return (await scene.heartbeat(kind) or {}).get("configErrors")


async def _unreadable_messages(scene: Scene) -> None:
    """Leave what a person pasted in the wrong place, and what a program wrote that no reader understands."""
    pasted = json.dumps(scene.configs["executor"]["exchanges"])
    await scene.redis.publish(f"{FIRST}.traderActions", pasted)
    await scene.redis.xadd(f"{FIRST}.traderActions", {"data": pasted})
    name = f"stream.{FIRST}.binance.watchTicker.KCS/USDT"
    await scene.redis.xadd(name, {"data": pasted}, id="1763800000000-1")
    await scene.redis.zadd(f"index.journals.{FIRST}", {name: "+inf"})
    request = {"action": "createOrder", "exchangeId": "binance", "payload": ORDER | {"params": {"apiKey": "x"}}}
    request["payload"]["secret"] = scene.canaries.planted[f"secret of {FIRST}"]
    await scene.redis.publish(f"{FIRST}.traderActions", json.dumps(request))

    async def are_stored() -> bool:
        assert scene.database is not None
        return len(await scene.database.fetch("SELECT 1 FROM dead_letters")) >= 1

    await until(are_stored, "dead letters are stored", platform=scene)


async def _wrong_configurations(scene: Scene) -> None:
    """Put secrets where they do not belong, both known ones and new ones."""
    for kind in ("gatherer", "executor"):
        known = scene.canaries.planted[KNOWN]
        new = scene.canaries.secret(f"misplaced in {kind}")
        word = scene.canaries.word(f"misplaced word in {kind}")
        config = json.loads(json.dumps(scene.configs[kind]))
        config["agent"] |= {"status": new, "name": [new], "id": word * 9}
        config["exchanges"][FIRST]["binance"] |= {"secrett": new, "delayOnFetch": new, "adapter": known}
        config["exchanges"][SECOND] = {"binance": new, "kucoin": [known]}
        config["exchanges"][known] = {"binance": {}}
        if kind == "gatherer":
            config["workplans"][0] |= {"tenant": f"a {new}", "exchangeId": new, "assetPairs": [f"{new} {new}", known]}
        await scene.redis.set(f"stream.config.{kind.upper()}", json.dumps(config))
        await until(lambda kind=kind: has_errors(scene, kind), f"{kind} names the mistakes", platform=scene)


async def _database_away(scene: Scene) -> None:
    assert scene.database is not None
    headers = {"Authorization": f"Bearer {scene.tokens[FIRST]}"}
    await scene.database.kill()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{scene.api_port}", headers=headers) as http:
        token = scene.tokens[SECOND]
        for method, path in (("DELETE", f"/api/v1/tokens/{token}"), ("GET", f"/api/v1/orders?token={token}")):
            async with http.request(method, path) as answer:
                scene.said.append(await answer.text())
    await scene.database.restart()
