"""Databases and exports are read by their owner alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace_core.names import Tenant
from millrace_store import Scope, Store


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a folder's files."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def _everybody_may_read() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


async def test_a_database_and_the_files_beside_it_are_private(tmp_path: Path) -> None:
    """From the first moment, and also one that others could read until now."""
    file = tmp_path / "store.db"
    for _ in range(2):
        async with Store.open(f"sqlite:///{file}") as store:
            await store.ping()
            assert modes(tmp_path) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
        file.chmod(0o644)


async def test_an_export_is_private(store: Store, tmp_path: Path) -> None:
    """Also where it replaces a file that others could read."""
    (tmp_path / "old.csv").touch(0o644)
    for name in ("old.csv", "new.csv"):
        async for _ in store.exports.write("orders", Scope(Tenant("T")), "csv", tmp_path / name):
            pass
        assert modes(tmp_path)[name] == 0o600
