"""The schema: complete, the same in code and database, and safe to bring up from many sides at once."""

import asyncio
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import millrace_store
from millrace_core.messages import encode
from millrace_core.names import Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_store import DatabaseIsNewer, Scope, Store
from millrace_store.schema import tables
from millrace_store.schema.upgrade import HEAD, script
from millrace_store.store import DatabaseState
from millrace_store.testing import PostgresServer


def test_head_is_the_newest_migration() -> None:
    """The revision that a store expects is the last of the files."""
    config = Config()
    config.set_main_option("script_location", str(Path(millrace_store.__file__).parent / "schema" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_the_code_knows_every_column(store: Store) -> None:
    """Each table has in the database the columns that the code writes, in that order."""
    for table in vars(tables).values():
        if isinstance(table, sa.TableClause):
            async with store._database.reading() as reader:
                columns = ",".join(column.name for column in table.columns)
                assert await reader.fetch(sa.text(f"SELECT {columns} FROM {table.name}")) == []
                assert await reader.fetch(sa.text(f"SELECT * FROM {table.name}")) == []


async def test_a_database_tells_its_revision_and_whether_it_takes_writes(
    server: PostgresServer | None, tmp_path: Path
) -> None:
    """Empty, brought up to date, and unfit for writes: read only, or without a table."""
    url = await server.database("state") if server is not None else f"sqlite:///{tmp_path / 'state.db'}"
    async with Store.open(url, migrate=False) as store:
        assert await store.state() == DatabaseState(None, HEAD, None)
    async with Store.open(url) as store:
        assert await store.state() == DatabaseState(HEAD, HEAD, None)
    refusing = "DROP TABLE tokens" if server is None else "ALTER DATABASE state SET default_transaction_read_only = on"
    await run(url, refusing)
    async with Store.open(url, migrate=False) as store:
        state = await store.state()
        assert state.revision == HEAD
        assert state.write_problem


async def test_a_database_of_a_newer_version_is_left_as_it_is(server: PostgresServer | None, tmp_path: Path) -> None:
    """An older version says which revision it found; it waits like for any database that cannot be used."""
    url = await server.database("newer") if server is not None else f"sqlite:///{tmp_path / 'newer.db'}"
    async with Store.open(url):
        pass
    await run(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseIsNewer, match="revision 9999"):
        async with Store.open(url):
            pass
    async with Store.open(url, migrate=False) as store:
        assert (await store.state()).revision == "9999"


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


async def run(url: str, script: str) -> None:
    """Carry statements out by hand."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            file.executescript(script)
        file.close()
    else:
        connection = await asyncpg.connect(url)
        await connection.execute(script)
        await connection.close()


async def test_orders_from_before_symbols_were_part_of_the_key_are_kept(
    server: PostgresServer | None, tmp_path: Path
) -> None:
    """A database of the first schema is brought up with its orders, those of no known symbol too."""
    url = await server.database("upgraded") if server is not None else f"sqlite:///{tmp_path / 'old.db'}"
    await run(url, script("sqlite" if server is None else "postgresql", None, to="0001"))
    for number, symbol in (("1", "KCS/USDT"), ("2", None)):
        record = OrderRecord(Order(number, symbol, price=Decimal("1.10")), "binance", 9, "James", "r" * 32)
        shown = "NULL" if symbol is None else f"'{symbol}'"
        await run(
            url,
            "INSERT INTO orders (tenant, exchange, order_id, symbol, price, created_ms, updated_ms, data) "
            f"VALUES ('T', 'binance', '{number}', {shown}, '1.10', {number}, 9, '{encode(record).decode()}')",
        )
    async with Store.open(url) as store:
        rows = (await store.account.orders(Scope(Tenant("T")), descending=False)).rows
        assert [(row.order.id, row.symbol, row.order.price) for row in rows] == [
            ("1", "KCS/USDT", Decimal("1.10")),
            ("2", None, Decimal("1.10")),
        ]
        async with store._database.reading() as reader:
            assert await reader.fetch(sa.text("SELECT version_num FROM alembic_version")) == [(HEAD,)]
            kept = await reader.fetch(sa.select(*tables.orders.c[3:4], tables.orders.c.price).order_by("symbol"))
        assert [(symbol, Decimal(price)) for symbol, price in kept] == [
            ("", Decimal("1.10")),
            ("KCS/USDT", Decimal("1.10")),
        ]


def test_timescale_gets_hypertables_in_place_of_partitions() -> None:
    """With the extension the large tables are its own, compressed; the rest is the same."""
    made = script("postgresql", None, timescale=True)
    assert made.count("create_hypertable") == len(tables.PARTITIONED)
    assert "PARTITION BY" not in made
    assert made.count("CREATE TABLE") == script("sqlite", None).count("CREATE TABLE")
