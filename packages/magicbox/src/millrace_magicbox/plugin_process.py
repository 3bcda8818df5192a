"""The process that loads plugins: `python -m millrace_magicbox.plugin_process`, started by `plugin_checks`.

Each plugin is loaded in a fork of its own with a time limit, so one that hangs or ends its process is reported as one
that raises is, and the others are loaded all the same. What a plugin forks is ended with it.
"""

import os
import signal
import sys
from contextlib import suppress
from inspect import cleandoc
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from pydantic import TypeAdapter

from millrace_bus.server import end_with_parent
from millrace_core.errors import ConfigInvalid, MillraceError, Problem
from millrace_core.plugins import PluginDescription
from millrace_magicbox.plugin_checks import PluginCheck, PluginChecks, PluginFindings
from millrace_magicbox.plugins import NotAStrategy, load_strategy
from millrace_strategy import Strategy, read_configuration

NICENESS = 10
"""Strategies that trade come before the loading of others."""
_FORK = get_context("fork")


def examine_apart(check: PluginCheck, folder: Path | None, limit_s: float, output: int) -> PluginFindings:
    """Return what `examine` finds out in a fork of this process, or what became of the fork.

    `output` is a file of this process that the fork must not keep open.
    """
    findings, answer = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_answer, args=(answer, check, folder, os.getpid(), output), daemon=True)
    child.start()
    answer.close()
    try:
        if findings.poll(limit_s):
            return msgspec.json.decode(findings.recv_bytes(), type=PluginFindings)
        reason = f"did not load within {limit_s:g} s"
    except EOFError:
        child.join(limit_s)
        reason = f"ended its process while it was loaded (exit code {child.exitcode})"
    finally:
        _end_group(child)
    return _failed(check, f"strategy {check.name} {reason}")


def examine(check: PluginCheck, folder: Path | None) -> PluginFindings:
    """Load a plugin, describe it, and check its configuration."""
    try:
        strategy = load_strategy(check.name, folder)
    except MillraceError as error:
        return _failed(check, str(error), is_strategy=not isinstance(error, NotAStrategy))
    try:
        return PluginFindings(_description(check.name, strategy), problems=_mistakes(check, strategy))
    except Exception as error:  # noqa: BLE001 (foreign code: a validator of its own may raise anything)
        return _failed(check, f"the configuration of {check.name} cannot be checked: {type(error).__name__}: {error}")


def main() -> None:
    """Read the checks from standard input, and write the findings to standard output."""
    os.nice(NICENESS)
    output = os.dup(sys.stdout.fileno())
    # Plugins may print; that must not get between the findings.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=PluginChecks)
    folder = None if job.folder is None else Path(job.folder)
    signal.signal(signal.SIGTERM, _exit)
    found = [examine_apart(check, folder, job.limit_s, output) for check in job.checks]
    with os.fdopen(output, "wb") as file:
        file.write(msgspec.json.encode(found))


def _exit(*_: object) -> NoReturn:
    """End in order, so that the present fork's group ends too."""
    sys.exit(1)


def _end_group(child: ForkProcess) -> None:
    if child.pid is not None:
        # There is none if the fork has not made its group yet, or all in it have ended.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.join()


def _answer(answer: Connection, check: PluginCheck, folder: Path | None, parent_pid: int, output: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    # A process that the plugin leaves behind would keep it open, and the agent would wait for its end.
    os.close(output)
    end_with_parent(parent_pid, signal.SIGKILL)
    answer.send_bytes(msgspec.json.encode(examine(check, folder)))


def _description(name: str, strategy: type[Strategy]) -> PluginDescription:
    text = strategy.__doc__ and cleandoc(strategy.__doc__)
    return PluginDescription(name, text, _schema(strategy.Configuration))


def _schema(configuration: type[Any]) -> dict[str, Any] | None:
    try:
        return TypeAdapter(configuration).json_schema()
    except Exception:  # noqa: BLE001 (foreign code: what has no schema is checked by the agent alone)
        return None


def _mistakes(check: PluginCheck, strategy: type[Strategy]) -> tuple[Problem, ...]:
    if check.configuration is None:
        return ()
    try:
        read_configuration(strategy.Configuration, check.configuration, path=check.path)
    except ConfigInvalid as error:
        return error.problems
    return ()


def _failed(check: PluginCheck, reason: str, *, is_strategy: bool = True) -> PluginFindings:
    return PluginFindings(PluginDescription(check.name, error=reason), is_strategy)


if __name__ == "__main__":
    main()
