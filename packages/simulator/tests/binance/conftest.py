"""A simulator in this process, and a client that signs as Binance documents."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from msgspec.structs import replace
from yarl import URL

from millrace_simulator.config import Limits, SimulatorConfig, default_config
from millrace_simulator.server import Server, serve
from millrace_simulator.venue import ManualClock

SECRET = "demo-secret"
MOST_TESTS = 500


class Answer:
    """What came back: status, headers and the decoded body."""

    def __init__(self, status: int, headers: Any, body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def refusal(self) -> tuple[int, int]:
        """HTTP status and Binance's code of an error."""
        return self.status, self.body["code"]


class Client:
    """A bare client of the REST paths."""

    def __init__(self, session: ClientSession, server: Server, key: str) -> None:
        self._session = session
        self.server = server
        self.key = key
        self.time_unit: str | None = None
        """The unit of times that it asks for."""

    async def send(
        self, method: str, path: str, query: str = "", body: str | None = None, key: str | None = None
    ) -> Answer:
        """Send exactly these bytes."""
        headers = {} if key is None else {"X-MBX-APIKEY": key}
        if self.time_unit is not None:
            headers["X-MBX-TIME-UNIT"] = self.time_unit
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = URL(f"{self.server.url}{path}" + (f"?{query}" if query else ""), encoded=True)
        async with self._session.request(method, url, data=body, headers=headers) as response:
            return Answer(response.status, response.headers, await response.json())

    async def get(self, path: str, **params: Any) -> Answer:
        """Ask for something public."""
        return await self.send("GET", path, urlencode(params))

    async def signed(self, method: str, path: str, *, secret: str = SECRET, **params: Any) -> Answer:
        """Ask for something of an account, with everything in the query."""
        query = urlencode({"timestamp": self.server.venue.clock.now_us() // 1000, **params})
        return await self.send(method, path, f"{query}&signature={sign(query, secret)}", key=self.key)

    async def order(self, **params: Any) -> Answer:
        """Place an order, on KCSUSDT by default."""
        return await self.signed("POST", "/api/v3/order", **{"symbol": "KCSUSDT", **params})


def sign(payload: str, secret: str = SECRET) -> str:
    """The HMAC that Binance wants."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def crowded_config() -> SimulatorConfig:
    """The built-in exchange with an account for each test and limits that refuse no request."""
    config = default_config()
    (demo,) = config.accounts
    accounts = tuple(replace(demo, api_key=f"key-{number}") for number in range(MOST_TESTS))
    return replace(config, accounts=(demo, *accounts), limits=Limits(enforce=False))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    """An exchange with full books that stand still, shared by the tests; each has an account of its own."""
    async with await serve(crowded_config(), drive_market=False) as running:
        yield running


@pytest.fixture(scope="session")
def keys() -> Iterator[str]:
    """API keys that no test has used."""
    return (f"key-{number}" for number in range(MOST_TESTS))


@pytest.fixture
def key(keys: Iterator[str]) -> str:
    """The API key of this test's own account."""
    return next(keys)


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server, key: str) -> AsyncIterator[Client]:
    """A client of `server` with an account of its own."""
    async with ClientSession() as session:
        yield Client(session, server, key)


@pytest_asyncio.fixture(loop_scope="session")
async def limited(limits: Limits) -> AsyncIterator[Client]:
    """A client of an exchange of its own, with the test's `limits` and a clock that stands."""
    config = default_config()
    few = tuple(rules for rules in config.symbols if rules.symbol in {"BTCUSDT", "KCSUSDT"})
    config = replace(config, symbols=few, limits=limits)
    async with (
        await serve(config, clock=ManualClock(), drive_market=False) as running,
        ClientSession() as session,
    ):
        yield Client(session, running, "demo-key")
