"""What holds for all tests of the workspace."""

import gc
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from zlib import crc32

import pytest
import pytest_asyncio
import structlog
from aiohttp import web_app
from hypothesis import HealthCheck, find, settings
from hypothesis import strategies as st
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from millrace_bus import Bus, EmbeddedServer
from millrace_service import heartbeat_sender
from millrace_store.testing import PostgresServer

# Tests run beside others: how long one example takes says nothing of the code.
settings.register_profile("beside others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside others")

# With the values of all variables, which structlog would print, a logged exception takes seconds.
_plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _plain])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import all tests without searching for garbage, and exclude what was imported from every later search."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class Lanes(LoadScopeScheduling):
    """Runs the tests of the whole platform in few lanes, each test after the other: each occupies several processes.

    The console's tests share one demo and one browser, so they have a lane of their own. All others run wherever there
    is room. xdist's own groups do nothing with this pytest, in which a test's id cannot be given a suffix.
    """

    def _split_scope(self, nodeid: str) -> str:
        folder, _, rest = nodeid.partition("/")
        if folder != "tests":
            return nodeid
        return "console" if rest.startswith("console/") else f"platform {crc32(rest.partition('::')[0].encode()) % 2}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    """Have xdist schedule by lanes."""
    return Lanes(config, log)


@pytest.fixture(autouse=True, scope="session")
def _unicode_table() -> None:
    """Have Hypothesis build its table of Unicode: in a new checkout the first test to draw text would be too slow."""
    find(st.text(), lambda _: True)


@pytest.fixture(autouse=True)
def _no_exchanges_of_earlier_tests() -> Iterator[None]:
    """Have aiohttp forget the servers of a test.

    It remembers the last 1,024 routes that it wrapped in a middleware, in a cache for all applications. Each route of
    a simulated exchange holds all of that exchange, up to 35 MB.
    """
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture(autouse=True)
def frequent_heartbeats() -> Iterator[None]:
    """Have agents within this process send a heartbeat twice a second: counts come with the next that is due."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(heartbeat_sender, "HEARTBEAT_INTERVAL_S", 0.5)
        yield


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A Valkey that a test may kill and start again."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """The bus of another service than the tested one, or of a person's command."""
    async with Bus.connect(server.url, name="test") as bus:
        yield bus


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL for all tests: making one takes seconds. Who kills it starts it again."""
    # Not pytest's folder: started by root the server runs as a user of its own, and pytest shuts others out of there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with await PostgresServer.start(Path(folder) / "postgres") as server:
            yield server
