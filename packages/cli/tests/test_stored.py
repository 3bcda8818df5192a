"""Export and tokens at the terminal, on a real database."""

import asyncio
from pathlib import Path
from typing import Any

import polars
import pytest
from typer.testing import CliRunner

from millrace_cli.main import app
from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.names import Tenant
from millrace_store import Place, Scope, Store
from millrace_store.queries.portfolio_records import PositionRecord


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of this test."""
    return f"sqlite:///{tmp_path / 'millrace.db'}"


def _millrace(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


async def _store_trades(url: str) -> None:
    async with Store.open(url) as store, store.batch() as batch:
        for number in range(1, 6):
            at_ms = 1_769_860_800_000 + number
            place = Place("stream.A.kucoin.watchTrades.KCS/USDT", MessageId(1, number), at_ms, at_ms)
            batch.trades(place, [Trade(str(number), at_ms, "KCS/USDT", "buy", 10.5, 1.0)])


def test_a_history_is_exported_into_a_file(url: str, tmp_path: Path) -> None:
    """The file holds exactly the rows of the time range."""
    asyncio.run(_store_trades(url))
    file = tmp_path / "trades.parquet"
    found = _millrace(
        "export", "trades", "--tenant", "A", "-o", str(file), "--since", "1769860800002", "--database-url", url
    )
    assert found.exit_code == 0, found.output
    assert "4 rows" in found.output
    assert len(polars.read_parquet(file)) == 4


def test_what_cannot_be_exported_is_answered_by_what_can(url: str) -> None:
    """A wrong name is answered by one line that lists the right ones."""
    asyncio.run(_store_trades(url))
    found = _millrace("export", "dreams", "--tenant", "A", "--database-url", url)
    assert found.exit_code == 1
    assert "ownTrades" in found.output
    found = _millrace("export", "trades", "--tenant", "A", "--source", "James", "--database-url", url)
    assert found.exit_code == 1
    assert "leave --source out" in found.output


async def _fills(url: str, *, store_one: bool = False) -> list[PositionRecord]:
    async with Store.open(url) as store:
        if store_one:
            async with store.batch() as batch:
                place = Place("stream.A.kucoin.watchMyTrades.KCS/USDT", MessageId(1, 1), 1_769_860_800_000)
                batch.own_trades(place, [Trade("1", 1_769_860_800_000, "KCS/USDT", "buy", 10.5, 2.0)])
        return (await store.portfolio.positions(Scope(Tenant("A")))).rows


def test_positions_are_rebuilt_at_will(url: str) -> None:
    """Counting all trades again leaves the same positions; without a database there is nothing to count."""
    rebuild = ("rebuild-positions", "--tenant", "A", "--database-url", url)
    missing = _millrace(*rebuild)
    assert (missing.exit_code, "there is no database" in missing.output) == (1, True)
    before = asyncio.run(_fills(url, store_one=True))
    found = _millrace(*rebuild)
    assert (found.exit_code, found.output) == (0, "1 trades counted\n")
    assert asyncio.run(_fills(url)) == before != []


def test_a_token_is_made_shown_once_and_revoked(url: str) -> None:
    """Only the token is printed; the list never shows its secret; revoking twice is an error."""
    made = _millrace("tokens", "create", "--tenant", "A", "--name", "Robot", "--role", "trade", "--database-url", url)
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    _, token_id, secret = token.split("_", 2)
    listed = _millrace("tokens", "list", "--database-url", url)
    assert token_id in listed.stdout
    assert secret not in listed.stdout
    revoke = ("tokens", "revoke", token_id, "--tenant", "A", "--database-url", url)
    assert _millrace(*revoke).exit_code == 0
    assert _millrace(*revoke).exit_code == 1


@pytest.mark.parametrize(
    "command", [("sign-in", "--tenant", "A"), ("tokens", "create", "--tenant", "A", "--name", "X")]
)
def test_beside_a_demo_the_demos_database_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A link or a token of a new database would open nothing; without a demo the first token makes the database."""
    (demo := tmp_path / "demo").mkdir()
    (demo / "millrace.db").touch()
    found = _millrace(*command, "--data-dir", str(tmp_path))
    assert found.exit_code == 1
    assert f"there is one in {demo}: choose" in found.output
    assert list(tmp_path.iterdir()) == [demo]
    assert _millrace(*command, "--data-dir", str(demo)).exit_code == 0


def test_a_link_has_the_port_that_the_console_has(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the same setting; an address that is given wins."""
    assert _millrace("tokens", "create", "--tenant", "A", "--name", "X", "--database-url", url).exit_code == 0
    monkeypatch.delenv("MILLRACE_CONSOLE_PORT", raising=False)
    command = ("sign-in", "--tenant", "A", "--database-url", url)
    assert _millrace(*command).stdout.startswith("http://localhost:8081/enter?code=")
    monkeypatch.setenv("MILLRACE_CONSOLE_PORT", "9090")
    assert _millrace(*command).stdout.startswith("http://localhost:9090/enter?code=")
    given = (*command, "--console", "https://console.example/")
    assert _millrace(*given).stdout.startswith("https://console.example/enter?code=")


def test_an_unknown_role_makes_no_token(url: str) -> None:
    """The roles that there are stand in the answer."""
    found = _millrace("tokens", "create", "--tenant", "A", "--name", "X", "--role", "god", "--database-url", url)
    assert found.exit_code == 1
    assert "read, trade or admin" in found.output


@pytest.mark.parametrize(
    "command",
    [
        ("export", "trades", "--tenant", "A"),
        ("tokens", "list"),
        ("tokens", "revoke", "x", "--tenant", "A"),
        ("sign-in", "--tenant", "A"),
    ],
)
def test_without_a_database_none_is_made(url: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A wrong folder is told in one line, with the file that is missing, and stays as it was."""
    out = ("--out", str(tmp_path / "trades.parquet")) if command[0] == "export" else ()
    found = _millrace(*command, *out, "--database-url", url)
    assert found.exit_code == 1
    assert f"there is no database {tmp_path / 'millrace.db'}" in found.output
    assert list(tmp_path.iterdir()) == []
