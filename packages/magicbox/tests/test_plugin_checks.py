"""Configurations are checked against plugins in a process of their own, and plugins are published."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.errors import ConfigInvalid
from millrace_core.names import AgentId, Tenant
from millrace_core.plugins import PluginDescription
from millrace_magicbox import plugin_catalog, plugin_checks
from millrace_magicbox.plan import StrategyPlan
from millrace_magicbox.plugin_checks import check_plugins, describe_plugins

AGENT = AgentId("MAGICBOX")
PATIENCE_S = 60
"""A process starts slowly on a busy machine."""

MAKER = '''
from pydantic import Field, field_validator
from millrace_strategy import Strategy, StrategyConfiguration


class MakerConfiguration(StrategyConfiguration):
    spread_bps: float = Field(gt=0, le=1000)
    side: str = "both"

    @field_validator("side")
    @classmethod
    def _known(cls, side):
        if side == "boom":
            raise RuntimeError("a defect of the plugin")
        if side not in ("buy", "sell", "both"):
            raise ValueError("must be buy, sell or both")
        return side


class Maker(Strategy):
    """Makes a market."""

    Configuration = MakerConfiguration

print("plugins may print")
'''
BAD = {
    "hangs": "while True: pass",
    "exits": "import sys; sys.exit(3)",
    "crashes": "import os; os.kill(os.getpid(), 11)",
    "raises": "1 / 0",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a plugin folder with a good strategy and some that cannot be loaded."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "maker.py").write_text(MAKER)
    for name, line in BAD.items():
        (folder / f"{name}.py").write_text(
            f"from millrace_strategy import Strategy\nclass {name.title()}(Strategy): pass\n{line}\n"
        )
    return folder


def _plan(index: int, name: str, **configuration: Any) -> StrategyPlan:
    path = f"$.workplans[0].plugins[{index}].configuration"
    return StrategyPlan(
        tenant=Tenant("Ann"), name=name, plugin_name=name, configuration=configuration, streams=(), path=path
    )


async def _mistakes(folder: Path | None, *plans: StrategyPlan) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        await check_plugins(plans, folder)
    return {path.removeprefix("$.workplans[0].plugins"): message for path, message in caught.value.problems}


async def test_every_mistake_is_found_with_its_path(folder: Path) -> None:
    """Values, unknown fields, the plugin's own rules, unknown plugins with near names; a good plan adds nothing."""
    found = await _mistakes(
        folder,
        _plan(0, "Maker", spreadBps=5),
        _plan(1, "Maker", spreadBps=-1, side="none", speed=1),
        _plan(2, "Marker", spreadBps=5),
        _plan(3, "Maker", spreadBps=5, side="boom"),
    )
    assert found["[1].configuration.spreadBps"] == "must be more than 0.0"
    assert found["[1].configuration.side"] == "must be buy, sell or both"
    assert found["[1].configuration.speed"] == "unknown field; known: side, spreadBps"
    assert "did you mean Maker" in found["[2].pluginName"]
    assert "RuntimeError: a defect of the plugin" in found["[3].pluginName"]
    assert len(found) == 5


async def test_good_configurations_pass(folder: Path) -> None:
    """Nothing is raised, and without strategies no process is started."""
    await check_plugins([_plan(0, "Maker", spreadBps=5)], folder)
    await check_plugins([], None)


async def test_a_plugin_that_cannot_be_loaded_harms_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs, ends its process, crashes or raises is named with its reason, and the others are checked."""
    monkeypatch.setattr(plugin_checks, "LOAD_LIMIT_S", 5.0)
    found = await _mistakes(folder, *(_plan(index, name.title()) for index, name in enumerate(BAD)), _plan(4, "Maker"))
    assert found["[0].pluginName"] == "strategy Hangs did not load within 5 s"
    assert found["[1].pluginName"] == "strategy Exits ended its process while it was loaded (exit code 3)"
    assert found["[2].pluginName"] == "strategy Crashes ended its process while it was loaded (exit code -11)"
    assert "raises.py cannot be imported: ZeroDivisionError: division by zero (line 3)" in found["[3].pluginName"]
    assert found["[4].configuration.spreadBps"] == "is required"


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_a_check_that_is_cancelled_leaves_no_process(folder: Path, *, is_frozen: bool) -> None:
    """An agent that ends while a plugin hangs takes the process with it, and what the plugin has forked.

    Even if the process does nothing any more, as on a machine that gives it no time.
    """
    (folder / "hangs.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom millrace_strategy import Strategy\n"
        "class Hangs(Strategy): pass\n"
        "if (pid := os.fork()):\n"
        "    Path(__file__).with_name('pid').write_text(f'{os.getppid()} {os.getpid()} {pid}')\n"
        "time.sleep(600)\n"
    )
    checking = asyncio.create_task(check_plugins([_plan(0, "Hangs")], folder))
    pid = folder / "pid"
    async with asyncio.timeout(PATIENCE_S):
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.02)
    pids = [int(each) for each in pid.read_text().split()]
    if is_frozen:
        os.kill(pids[0], signal.SIGSTOP)
    checking.cancel()
    await asyncio.wait([checking])
    async with asyncio.timeout(PATIENCE_S):
        while any(map(_is_alive, pids)):
            await asyncio.sleep(0.02)


async def test_a_plugin_that_forks_holds_nothing_up(folder: Path) -> None:
    """What it started while it was loaded is ended with it, and its own answer does not wait for that."""
    (folder / "hangs.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom millrace_strategy import Strategy\n"
        "class Forks(Strategy): pass\n"
        "if (pid := os.fork()) == 0: time.sleep(600)\n"
        "Path(__file__).with_name('pid').write_text(str(pid))\n"
    )
    async with asyncio.timeout(PATIENCE_S):
        await check_plugins([_plan(0, "Forks")], folder)
        while _is_alive(int((folder / "pid").read_text())):
            await asyncio.sleep(0.02)


async def test_a_plugin_that_halts_the_process_which_loads_it_is_a_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers then, so the check ends at a limit of its own; in the catalogue it is an error."""
    monkeypatch.setattr(plugin_checks, "LOAD_LIMIT_S", 1.0)
    monkeypatch.setattr(plugin_checks, "START_LIMIT_S", 4.0)
    monkeypatch.setattr(plugin_checks, "END_LIMIT_S", 0.1)
    for path in folder.glob("*.py"):
        path.unlink()
    (folder / "halts.py").write_text(
        "import os, signal\nfrom millrace_strategy import Strategy\nclass Halts(Strategy): pass\n"
        "os.kill(os.getppid(), signal.SIGSTOP)\n"
    )
    async with asyncio.timeout(PATIENCE_S):
        found = await _mistakes(folder, _plan(0, "Halts"))
        (described,) = await describe_plugins(folder)
    assert found == {"[0].pluginName": "strategy Halts was not loaded: the plugins took longer than 5 s"}
    assert described.error == found["[0].pluginName"]


async def test_plugins_are_described(folder: Path) -> None:
    """Each strategy has its docstring and schema, or the reason why not; other classes are left out."""
    (folder / "hangs.py").unlink()
    found = {each.name: each for each in await describe_plugins(folder)}
    assert list(found) == ["Crashes", "Exits", "Maker", "Raises"]
    maker = found["Maker"]
    assert (maker.description, maker.error) == ("Makes a market.", None)
    assert maker.schema is not None
    assert maker.schema["properties"]["spreadBps"]["exclusiveMinimum"] == 0
    assert "ZeroDivisionError" in (found["Raises"].error or "")


async def test_a_magicbox_publishes_its_plugins_and_their_changes(magicbox: Any, bus: Bus) -> None:
    """From its start, configured or not; a new file shows soon, and a running strategy survives a wrong parameter."""
    await magicbox.start()
    assert await _published(bus) == []
    (magicbox.folder / "maker.py").write_text(MAKER)
    async with asyncio.timeout(PATIENCE_S):
        while not (plugins := await _published(bus)):
            await asyncio.sleep(0.02)
    assert [plugin.name for plugin in plugins] == ["Maker"]


async def test_the_catalogue_stays_while_plugins_are_loaded(
    folder: Path, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known is published again, although a new file hangs."""
    monkeypatch.setattr(plugin_catalog, "PLUGINS_INTERVAL_S", 0.1)
    for path in folder.glob("*.py"):
        path.unlink()
    publishing = asyncio.create_task(plugin_catalog.publish_plugins(bus, AGENT, folder))
    assert await _published(bus) == []
    (folder / "hangs.py").write_text(
        "import time\nfrom pathlib import Path\nfrom millrace_strategy import Strategy\n"
        "class Hangs(Strategy): pass\n"
        "Path(__file__).with_name('loads').touch()\ntime.sleep(60)\n"
    )
    async with asyncio.timeout(PATIENCE_S):
        while not (folder / "loads").exists():
            await asyncio.sleep(0.02)
        await bus.publish_plugins(AGENT, [PluginDescription("Expired")])
        while await _published(bus) != []:
            await asyncio.sleep(0.02)
    publishing.cancel()
    await asyncio.wait([publishing])


async def test_a_wrong_parameter_stops_no_running_strategy(magicbox: Any, venue: Any) -> None:
    """The configuration is refused with the mistake's path; the strategy goes on with the one before."""
    (magicbox.folder / "maker.py").write_text(MAKER)
    good = {"pluginName": "Maker", "configuration": {"spreadBps": 5}}
    await magicbox.start(good)
    running = await magicbox.unit_in_state("Maker", "live")
    await magicbox.configure({"pluginName": "Maker", "configuration": {"spreadBps": "wide"}}, {"pluginName": "Taker"})
    async with asyncio.timeout(PATIENCE_S):
        while not (beat := await magicbox.heartbeat()).config_errors:
            await asyncio.sleep(0.02)
    assert [problem.path for problem in beat.config_errors] == [
        "$.workplans[0].plugins[0].configuration.spreadBps",
        "$.workplans[0].plugins[1].pluginName",
    ]
    assert [(unit.state, unit.since) for unit in beat.units] == [("live", running.since)]


async def _published(bus: Bus) -> list[PluginDescription]:
    async with asyncio.timeout(PATIENCE_S):
        while (plugins := await bus.plugins(AGENT)) is None:
            await asyncio.sleep(0.02)
    return plugins


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
