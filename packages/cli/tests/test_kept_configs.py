"""The demo's configurations and its data folder."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_cli import data_folder
from millrace_cli.configs import AgentFile, examples_folder, load
from millrace_cli.kept_configs import put_configs
from millrace_core.names import AgentId

FIRST, SECOND = "http://127.0.0.1:1111", "http://127.0.0.1:2222"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """The bus of a demo."""
    async with await EmbeddedServer.start(tmp_path / "valkey") as server, Bus.connect(server.url, name="test") as bus:
        yield bus


async def texts(bus: Bus, agents: list[AgentFile]) -> dict[AgentId, str]:
    """The configurations in Redis."""
    return {file.agent: ((await bus.get_config(file.agent)) or b"").decode() for file in agents}


async def test_a_changed_configuration_is_kept_and_finds_this_runs_exchange(bus: Bus, tmp_path: Path) -> None:
    """The others follow the examples; what was kept is kept by the run after it too."""
    agents = load(examples_folder(), FIRST)
    assert await put_configs(bus, agents, tmp_path, FIRST) == []
    gatherer = AgentId("GATHERER")
    mine = (await texts(bus, agents))[gatherer].replace('"Gatherer"', '"Mine"')
    await bus.put_config(gatherer, mine)
    for url in (SECOND, FIRST, FIRST):
        again = load(examples_folder(), url)
        assert await put_configs(bus, again, tmp_path, url) == [gatherer]
        found = await texts(bus, again)
        assert found[gatherer] == mine.replace(FIRST, url)
        assert {file.agent: file.text for file in again if file.agent != gatherer}.items() <= found.items()


async def test_examples_that_changed_replace_what_an_earlier_demo_wrote(bus: Bus, tmp_path: Path) -> None:
    """Nobody changed it in Redis, so nothing of anybody's is lost."""
    (before,) = [file for file in load(examples_folder(), FIRST) if file.kind == "magicbox"]
    after = AgentFile(before.kind, before.agent, before.text.replace('"Magicbox"', '"Newer"'))
    await put_configs(bus, [before], tmp_path, FIRST)
    assert await put_configs(bus, [after], tmp_path, FIRST) == []
    assert await texts(bus, [after]) == {after.agent: after.text}


def test_reset_removes_what_demos_made_and_nothing_else(tmp_path: Path) -> None:
    """A file of the user's in the same folder stays."""
    for name in data_folder.MADE:
        (tmp_path / name).write_text("{}")
    (tmp_path / "logs").unlink()
    (tmp_path / "logs").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    data_folder.reset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_no_demo_has_made_is_not_removed(tmp_path: Path) -> None:
    """Files that no demo has made stay, and the error names them."""
    (tmp_path / "millrace.db").write_text("mine")
    with pytest.raises(data_folder.NotMadeByDemo, match=r"holds millrace\.db"):
        data_folder.reset(tmp_path)
    assert (tmp_path / "millrace.db").exists()


def test_two_demos_cannot_use_one_folder(tmp_path: Path) -> None:
    """The second one is told which folder it is; afterwards it may have it."""
    with data_folder.locked(tmp_path), pytest.raises(data_folder.FolderInUse, match=str(tmp_path)):
        data_folder.locked(tmp_path).__enter__()
    with data_folder.locked(tmp_path):
        pass


def test_what_was_written_is_noted(tmp_path: Path) -> None:
    """A note that cannot be read counts as none."""
    what = data_folder.Written(FIRST, {"A": json.dumps({"x": 1})})
    data_folder.note_written(tmp_path, what)
    assert data_folder.written(tmp_path) == what
    (tmp_path / "demo.json").write_bytes(msgspec.json.encode([]))
    assert data_folder.written(tmp_path) == data_folder.Written()
