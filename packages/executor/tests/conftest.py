"""The whole executor against real parts: Redis, the simulator with ccxt unmodified, and a proxy that can be cut."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer, Fence, Follower, Update
from millrace_core.clock import elapsed_s
from millrace_core.heartbeat import Heartbeat
from millrace_core.messages import Response
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_core.trace import Trace
from millrace_executor.agent import ExecutorAgent
from millrace_executor.execution.order_sender import OrderSender
from millrace_executor.lease.tenure import Tenure
from millrace_service import Settings, run_agent
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.server import Server, serve
from millrace_store import Store

TENANT = Tenant("StrankaXY")
BINANCE = ExchangeId("binance")
AGENT = AgentId("EXECUTOR")
KCS = Symbol("KCS/USDT")
LISTED = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == "KCSUSDT")
"""One symbol is enough, and opens faster than all."""


class LossyProxy:
    """A TCP proxy before the simulator, whose way back can be cut: what is sent arrives, the answer is lost."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.swallowed = asyncio.Event()
        """Set when an answer was lost."""

    async def open(self) -> str:
        """Listen; return the address to use instead of the simulator's."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def lose_answers(self) -> None:
        """From now on drop the connection instead of passing an answer on, and take no new one."""
        self.swallowed.clear()
        self._passing.clear()

    def refuse(self) -> None:
        """Listen no more, and end the connections there are."""
        if self._server is not None:
            self._server.close()
        self._hang_up()

    def mend(self) -> None:
        """Pass everything on again."""
        self._passing.set()

    async def close(self) -> None:
        """Stop."""
        if self._server is not None:
            self._server.close()
        self._hang_up()

    def _hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if not self._passing.is_set():
            to_client.transport.abort()
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers |= {to_client, to_server}
        there = asyncio.ensure_future(self._pass(client, to_server, lossy=False))
        back = asyncio.ensure_future(self._pass(server, to_client, lossy=True))
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        there.cancel()
        back.cancel()
        await asyncio.wait({there, back})
        for writer in (to_client, to_server):
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, lossy: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if lossy and not self._passing.is_set():
                    self.swallowed.set()
                    return
                writer.write(data)


@dataclass
class SeenAnswer:
    """An answer from its stream."""

    response: Response
    trace: Trace
    name: StreamName


@dataclass
class SeenAnswers:
    """The answers on one stream, from its beginning."""

    follower: Follower
    all: list[SeenAnswer] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, update: Update) -> None:
        """Take an update of the stream."""
        if update.kind == "response":
            self.all.append(SeenAnswer(msgspec.convert(update.data, Response), update.trace, update.name))
            self._news.set()

    async def number(self, number: int) -> SeenAnswer:
        """Wait for the n-th answer of the stream, counted from 1, and return it."""
        while len(self.all) < number:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 20)
        return self.all[number - 1]

    async def statuses(self, number: int) -> list[str]:
        """Wait for so many answers; return the status of each."""
        await self.number(number)
        return [each.response.status for each in self.all]


class ExecutorPlatform:
    """A running platform of one executor: what a test does to it, and sees of it."""

    def __init__(self, redis: EmbeddedServer, bus: Bus, simulator: Server, proxy: LossyProxy, address: str) -> None:
        self.redis = redis
        self.bus = bus
        self.simulator = simulator
        self.proxy = proxy
        self.address = address
        self.database = redis.data_dir.parent / "millrace.db"
        """The file in which the executor stores halts."""
        self._answers: dict[StreamName, SeenAnswers] = {}
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def config(self, risk: dict[str, Any] | None = None, **exchanges: dict[str, Any]) -> str:
        """Return a configuration with an account on the simulator, and the other accounts passed in."""
        account = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": self.address}}
        value = {
            "agent": {"id": AGENT},
            "exchanges": {TENANT: {"binance": account} | exchanges},
            "risk": {TENANT: risk or {}},
        }
        return msgspec.json.encode(value).decode()

    @property
    def database_url(self) -> str:
        """Return the address of the database."""
        return f"sqlite:///{self.database}"

    async def start(self, account_state: str = "live", requests_state: str = "live") -> None:
        """Run an executor until `stop`; return when its account trades, or is in another state."""
        self._stop = asyncio.Event()
        settings = Settings(agent_id=AGENT, redis_url=self.redis.url)
        self._running = asyncio.create_task(run_agent(ExecutorAgent(self.database_url), settings, stop=self._stop))
        await self.unit_is("StrankaXY.binance", account_state)
        await self.unit_is("StrankaXY.requests", requests_state)
        await self._is_subscribed()

    async def _is_subscribed(self) -> None:
        """Wait until the executor follows the channel: its unit may be live a moment before."""
        async with redis.asyncio.Redis.from_url(self.redis.url) as client, asyncio.timeout(60):
            while not (await client.pubsub_numsub(trader_actions(TENANT)))[0][1]:
                await asyncio.sleep(0.01)  # Redis announces no subscription.

    async def stop(self) -> None:
        """End the executor in order."""
        self._stop.set()
        if self._running is not None:
            await self._running
            self._running = None

    async def unit_is(self, name: str, state: str) -> None:
        """Wait until the heartbeat shows a unit in a state."""
        await self.heartbeat_where(lambda beat: any((unit.name, unit.state) == (name, state) for unit in beat.units))

    async def heartbeat_where(self, holds: Callable[[Heartbeat], bool]) -> Heartbeat:
        """Wait for a heartbeat of which something holds, and return it."""
        async with asyncio.timeout(60):
            while True:
                # Nothing announces a heartbeat: its readers poll.
                for heartbeat in await self.bus.heartbeats():
                    if holds(heartbeat):
                        return heartbeat
                await asyncio.sleep(0.02)

    async def publish(self, text: str | bytes | dict[str, Any]) -> int:
        """Publish as a person with redis-cli does, over a plain socket; return how many received it."""
        raw = msgspec.json.encode(text) if isinstance(text, dict) else text.encode() if isinstance(text, str) else text
        reply = await self.command(b"PUBLISH", f"{TENANT}.traderActions".encode(), raw)
        return int(reply.lstrip(b":"))

    async def command(self, *parts: bytes) -> bytes:
        """Send one Redis command over a plain socket; return the first line of the reply."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.redis.port)
        writer.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        reply = await reader.readline()
        writer.close()
        return reply.strip()

    async def answers(
        self, action: str = "createOrder", symbol: Symbol | None = KCS, exchange: ExchangeId = BINANCE
    ) -> SeenAnswers:
        """Return the answers on one stream, those to come too."""
        name = StreamName(TENANT, exchange, Action(action), symbol)
        if name not in self._answers:
            noted: list[Callable[[Update], None]] = []
            follower = self.bus.follow(name, lambda update: noted[0](update), from_start=True)
            answers = SeenAnswers(follower)
            noted.append(answers.note)
            self._answers[name] = answers
            await follower.ready()
        return self._answers[name]

    async def tenure(self, holder: str = "tests") -> Tenure:
        """Take the tenant's lease, which must be free, and return the tenure that this begins."""

        async def confirm(tenure: Tenure) -> None:
            if (await self.bus.leases.take(TENANT, holder, tenure.fence.token)).token != tenure.fence.token:
                tenure.end()

        reply = await self.bus.leases.take(TENANT, holder)
        assert reply.token is not None
        return Tenure(Fence(TENANT, reply.token), reply.born_ms, reply.server_ms, elapsed_s(), confirm)

    def orders(self) -> list[Any]:
        """Return every order that the exchange has of the account, whatever became of it."""
        venue = self.simulator.venue
        return list(venue.all_orders(venue.account_by_key("demo-key"), "KCSUSDT"))

    async def close(self) -> None:
        """End everything that was started here."""
        await self.stop()
        for answers in self._answers.values():
            await answers.follower.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database, to be copied: to make its tables takes longer than many a test."""
    path = tmp_path_factory.mktemp("database") / "empty.db"

    async def make() -> None:
        async with Store.open(f"sqlite:///{path}"):
            pass

    asyncio.run(make())
    return path


@pytest.fixture
async def platform(tmp_path: Path, empty_database: Path) -> AsyncIterator[ExecutorPlatform]:
    """Return Redis, a simulator whose market stands still, a proxy between, and an executor's configuration."""
    shutil.copy(empty_database, tmp_path / "millrace.db")
    async with (
        await EmbeddedServer.start(tmp_path / "redis") as redis,
        await serve(SimulatorConfig(seed=7, symbols=LISTED), drive_market=False) as simulator,
        Bus.connect(redis.url, name="tests") as bus,
    ):
        proxy = LossyProxy(simulator.port)
        platform = ExecutorPlatform(redis, bus, simulator, proxy, await proxy.open())
        await bus.put_config(AGENT, platform.config())
        yield platform
        await platform.close()
        await proxy.close()


@pytest.fixture
def break_after_sending(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after which the handling of the next request breaks as soon as it was sent, once."""
    send = OrderSender._send

    async def break_once(sender: OrderSender, *arguments: Any) -> Any:
        monkeypatch.setattr(OrderSender, "_send", send)
        await send(sender, *arguments)
        raise ZeroDivisionError("unforeseen")

    return lambda: monkeypatch.setattr(OrderSender, "_send", break_once)
