"""The database as the executor uses it, behind a line that a test disturbs."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.proxy import Proxy

from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import Tenant
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_store import DatabaseUnavailable
from millrace_store.testing import PostgresServer

TENANT = Tenant("StrankaXY")
STOPPED = HaltState().halted(HaltScope(), HaltNote(1, "stop"))


async def test_nobody_waits_for_a_database_that_hangs() -> None:
    """A line that passes nothing on does not let a question be ended either; the next is answered when it does."""
    # Not in pytest's folder, which PostgreSQL, that runs as somebody else than root, cannot always reach.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with await PostgresServer.start(Path(folder) / "postgres") as server:
            line = Proxy(server.port)
            address = await line.listen()
            database = ExecutorDatabase(server.url.replace(f"127.0.0.1:{server.port}", address.removeprefix("http://")))
            assert await database.merge(TENANT, STOPPED) == STOPPED
            line.keep()
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await database.merge(TENANT, STOPPED, within_s=0.2)
            line.cut()
            assert await database.merge(TENANT, STOPPED) == STOPPED
            await database.close()
            await line.close()
