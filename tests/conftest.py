"""Databases for tests of stored history: both kinds, each test with an empty one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support import databases
from tests.support.databases import Database

from millrace_store.testing import PostgresServer


@pytest.fixture
def server_if_any(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The server where the turn is PostgreSQL's; None where it is SQLite's."""
    wanted = getattr(request, "param", "sqlite")
    server: PostgresServer | None = request.getfixturevalue("postgres") if wanted == "postgresql" else None
    return server


@pytest.fixture
async def database(server_if_any: PostgresServer | None, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database: SQLite, unless `server_if_any` is a PostgreSQL server."""
    opened = databases.sqlite(tmp_path) if server_if_any is None else databases.postgres(server_if_any)
    async with opened as database:
        yield database
