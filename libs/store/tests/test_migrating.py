"""The schema: complete, the same in code and database, and safe to bring up from many sides at once."""

import asyncio
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import millrace_store
from millrace_store import Store, schema
from millrace_store.migrating import HEAD, script
from millrace_store.testing import PostgresServer


def test_head_is_the_newest_migration() -> None:
    """The revision that a store expects is the last of the files."""
    config = Config()
    config.set_main_option("script_location", str(Path(millrace_store.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_the_code_knows_every_column(store: Store) -> None:
    """Each table has in the database the columns that the code writes, in that order."""
    for table in vars(schema).values():
        if isinstance(table, sa.TableClause):
            async with store._database.reading() as reader:
                columns = ",".join(column.name for column in table.columns)
                assert await reader.fetch(sa.text(f"SELECT {columns} FROM {table.name}")) == []
                assert await reader.fetch(sa.text(f"SELECT * FROM {table.name}")) == []


async def test_many_openers_at_once_find_one_schema(server: PostgresServer | None, tmp_path: Path) -> None:
    """Processes that start together on an empty database all get it, migrated once."""
    url = await server.database("opened") if server is not None else f"sqlite:///{tmp_path / 'a' / 'new.db'}"
    program = (
        "import asyncio\nfrom millrace_store import Store\n"
        "async def main():\n    async with Store.open({url!r}) as store:\n        await store.ping()\n"
        "asyncio.run(main())"
    )
    openers = [
        subprocess.Popen([sys.executable, "-c", program.format(url=url)], stderr=subprocess.PIPE)  # noqa: ASYNC220
        for _ in range(4)
    ]
    outcomes = [await asyncio.to_thread(opener.communicate) for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 4, outcomes
    async with Store.open(url) as store, store._database.reading() as reader:
        assert await reader.fetch(sa.text("SELECT version_num FROM alembic_version")) == [(HEAD,)]


def test_timescale_gets_hypertables_in_place_of_partitions() -> None:
    """With the extension the large tables are its own, compressed; the rest is the same."""
    made = script("postgresql", None, timescale=True)
    assert made.count("create_hypertable") == len(schema.PARTITIONED)
    assert "PARTITION BY" not in made
    assert made.count("CREATE TABLE") == script("sqlite", None).count("CREATE TABLE")
