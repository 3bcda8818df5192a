"""Databases for tests of stored history: both kinds, each test with an empty one."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support import databases
from tests.support.databases import Database

from millrace_store.testing import PostgresServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server for all tests."""
    # Not pytest's folder: started by root the server runs as a user of its own, and pytest shuts others out of there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with await PostgresServer.start(Path(folder) / "postgres") as server:
            yield server


@pytest.fixture
def server_if_any(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The server where the turn is PostgreSQL's; None where it is SQLite's."""
    wanted = getattr(request, "param", "sqlite")
    server: PostgresServer | None = request.getfixturevalue("postgres_server") if wanted == "postgresql" else None
    return server


@pytest.fixture
async def database(server_if_any: PostgresServer | None, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database: SQLite, unless the test is parametrized by `BOTH_DATABASES`."""
    opened = databases.sqlite(tmp_path) if server_if_any is None else databases.postgres(server_if_any)
    async with opened as database:
        yield database
