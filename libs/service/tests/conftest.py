"""A real server and a bus on it, for each test its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from millrace_bus import Bus, EmbeddedServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A Redis server that a test may kill and restart."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """A second bus beside the agent's, as a person's command would have."""
    async with Bus.connect(server.url, name="test") as bus:
        yield bus
