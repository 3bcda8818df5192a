"""Checks configurations against their plugins, and describes plugins, without running their code in this process.

To load a plugin is to run its code, which may hang, end its process, or leak. So `plugin_process` does that in a
process of its own, which ends with this one; strategies that run notice nothing.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from millrace_bus.server.die_with_parent import bound_to_us
from millrace_core.errors import ConfigInvalid, MillraceError, Problem
from millrace_core.plugins import PluginDescription
from millrace_magicbox.plan import StrategyPlan
from millrace_magicbox.plugins import plugin_names

PROCESS = "millrace_magicbox.plugin_process"
LOAD_LIMIT_S = 20.0
"""How long one plugin may take to load; on a busy machine an import may take long."""
START_LIMIT_S = 20.0
"""How long a process that loads plugins may take besides, for its start and its answer."""
END_LIMIT_S = 2.0
"""How long it may take to end what plugins have started."""
AT_ONCE = 2
"""So many processes load plugins at the same time."""


class PluginCheck(msgspec.Struct, frozen=True):
    """A plugin to load, and its configuration to check."""

    name: str
    configuration: dict[str, Any] | None = None
    """None to load it only."""
    path: str = "$"
    """JSON path of the configuration."""


class PluginChecks(msgspec.Struct, frozen=True):
    """The plugins to load, and the folder where they may be."""

    folder: str | None
    checks: list[PluginCheck]
    limit_s: float
    """How long one plugin may take to load."""


class PluginFindings(msgspec.Struct, frozen=True):
    """What was found out about one plugin."""

    description: PluginDescription
    is_strategy: bool = True
    problems: tuple[Problem, ...] = ()
    """The mistakes in its configuration."""


class PluginProcessFailed(MillraceError):
    """The process that loads plugins ended without an answer."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the process that loads plugins failed with exit code {exit_code}")


async def check_plugins(plans: Iterable[StrategyPlan], folder: Path | None) -> None:
    """Check that every strategy can be loaded and takes its configuration.

    Raises:
        ConfigInvalid: with the JSON path of every mistake.
        PluginProcessFailed: nothing could be found out.
    """
    plans = list(plans)
    found = await examine([PluginCheck(plan.plugin_name, plan.configuration, plan.path) for plan in plans], folder)
    problems: list[Problem] = []
    for plan, findings in zip(plans, found, strict=True):
        if error := findings.description.error:
            problems.append(Problem(plan.path.removesuffix("configuration") + "pluginName", error))
        problems += findings.problems
    if problems:
        raise ConfigInvalid(tuple(problems))


async def describe_plugins(folder: Path | None) -> list[PluginDescription]:
    """Return the description of every strategy, by name; those that cannot be loaded say why.

    Raises:
        PluginProcessFailed: nothing could be found out.
    """
    found = await examine([PluginCheck(name) for name in plugin_names(folder)], folder)
    return [findings.description for findings in found if findings.is_strategy]


async def examine(checks: Sequence[PluginCheck], folder: Path | None) -> list[PluginFindings]:
    """Return what is found out about plugins, in their order.

    Raises:
        PluginProcessFailed: nothing could be found out.
    """
    shares = [checks[number::AT_ONCE] for number in range(min(AT_ONCE, len(checks)))]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_examined_in_time(share, folder)) for share in shares]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    found = [task.result() for task in tasks]
    return [found[number % AT_ONCE][number // AT_ONCE] for number in range(len(checks))]


async def _examined_in_time(checks: Sequence[PluginCheck], folder: Path | None) -> list[PluginFindings]:
    limit_s = START_LIMIT_S + len(checks) * LOAD_LIMIT_S
    try:
        async with asyncio.timeout(limit_s):
            return await _examined(checks, folder)
    except TimeoutError:
        why = f"was not loaded: the plugins took longer than {limit_s:g} s"
        return [PluginFindings(PluginDescription(each.name, error=f"strategy {each.name} {why}")) for each in checks]


async def _examined(checks: Sequence[PluginCheck], folder: Path | None) -> list[PluginFindings]:
    job = PluginChecks(None if folder is None else str(folder), list(checks), LOAD_LIMIT_S)
    process = await asyncio.create_subprocess_exec(
        *bound_to_us(sys.executable, "-m", PROCESS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await process.communicate(msgspec.json.encode(job))
    finally:
        await _end(process)
    if process.returncode != 0:
        raise PluginProcessFailed(process.returncode)
    return msgspec.json.decode(output, type=list[PluginFindings])


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_LIMIT_S):
            await process.wait()
    except TimeoutError:
        _kill(process.pid)
        await process.wait()


def _kill(pid: int) -> None:
    """Kill a process that loads plugins, and what its plugins have started: the groups that its forks lead."""
    with suppress(FileNotFoundError):  # only Linux has this file
        for fork in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(ProcessLookupError):  # it has not made its group yet, and will find that its parent is gone
                os.killpg(int(fork), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
