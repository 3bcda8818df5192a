"""A simulator in this process that speaks KuCoin's protocol, and unmodified ccxt that reaches it."""

import importlib
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from msgspec.structs import replace

from millrace_simulator.config import Limits, default_config
from millrace_simulator.kucoin.signing import sign
from millrace_simulator.server import Server, serve

SECRET, PASSPHRASE = "demo-secret", "demo-passphrase"
MOST_TESTS = 200


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    """An exchange with full books that stand still, shared by the tests; each has an account of its own.

    Keys that begin with `classic` belong to accounts that do not trade by the high-frequency paths.
    """
    config = default_config("kucoin")
    (demo,) = config.accounts
    own = tuple(
        replace(demo, api_key=f"{kind}-{number}", high_frequency=kind == "hf")
        for kind in ("hf", "classic")
        for number in range(MOST_TESTS)
    )
    config = replace(config, accounts=(demo, *own), limits=Limits(enforce=False))
    async with await serve(config, drive_market=False) as running:
        yield running


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers that no test has used."""
    return iter(range(MOST_TESTS))


@pytest.fixture
def key(numbers: Iterator[int]) -> str:
    """The API key of this test's own account."""
    return f"hf-{next(numbers)}"


@pytest.fixture(scope="session")
def ccxt() -> ModuleType:
    """Ccxt with streams; its import takes seconds."""
    return importlib.import_module("ccxt.pro")


def settings(ccxt: ModuleType, server: Server, key: str | None = None) -> dict[str, Any]:
    """What points unmodified ccxt at the simulator: its own addresses, each moved."""
    api = ccxt.kucoin().urls["api"]
    urls = {name: server.url for name, address in api.items() if isinstance(address, str)}
    keys = {} if key is None else {"apiKey": key, "secret": SECRET, "password": PASSPHRASE}
    return {"urls": {"api": urls}, "enableRateLimit": False, **keys}


@pytest_asyncio.fixture(loop_scope="session")
async def public(ccxt: ModuleType, server: Server) -> AsyncIterator[Any]:
    """A client without keys."""
    async with ccxt.kucoin(settings(ccxt, server)) as exchange:
        yield exchange


@pytest_asyncio.fixture(loop_scope="session")
async def kucoin(ccxt: ModuleType, server: Server, key: str) -> AsyncIterator[Any]:
    """A client with a high-frequency account of its own."""
    async with ccxt.kucoin(settings(ccxt, server, key)) as exchange:
        yield exchange


class Client:
    """A bare client of the REST paths, which signs as KuCoin documents."""

    def __init__(self, session: ClientSession, server: Server, key: str) -> None:
        self._session = session
        self.server = server
        self.key = key

    async def send(
        self, method: str, target: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Return status, headers and body of the answer to exactly this."""
        url = self.server.url + target
        async with self._session.request(method, url, data=body or None, headers=headers) as response:
            return response.status, response.headers, await response.json()

    async def signed(self, method: str, target: str, body: str = "", **other: str) -> tuple[int, Any, Any]:
        """Send a signed request; `other` replaces headers, `_` in their names stands for `-`."""
        timestamp = str(self.server.venue.clock.now_us() // 1000)
        headers = {
            "KC-API-KEY": self.key,
            "KC-API-SIGN": sign(SECRET, timestamp + method + target + body),
            "KC-API-TIMESTAMP": timestamp,
            "KC-API-PASSPHRASE": sign(SECRET, PASSPHRASE),
            "KC-API-KEY-VERSION": "2",
            **{name.replace("_", "-"): value for name, value in other.items()},
        }
        return await self.send(method, target, body, headers)


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server, key: str) -> AsyncIterator[Client]:
    """A bare client with an account of its own."""
    async with ClientSession() as session:
        yield Client(session, server, key)
