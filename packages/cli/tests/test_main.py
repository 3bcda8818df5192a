import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from millrace_cli.main import app

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "millrace_cli.main"]

_HANDED_ON = ("simulator",)
"""Commands whose help is another program's."""
_WITHOUT_RESULT = ("demo", "up", "simulator", "acl")
"""Commands that run until they are stopped, or print a file."""


def millrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_the_verbs() -> None:
    """A newcomer sees what there is."""
    output = millrace("--help").stdout
    for verb in ("demo", "up", "simulator"):
        assert verb in output


def test_the_version_is_that_of_the_file() -> None:
    """What a bug report names."""
    assert millrace("--version").stdout == f"millrace {(ROOT / 'VERSION').read_text().strip()}\n"


def test_no_command_waits_for_what_only_others_need() -> None:
    """Help, status and the demo come without ccxt and the database, which take a second to import."""
    program = "import sys, millrace_cli.main; print({'ccxt', 'sqlalchemy', 'fastapi'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_a_short_h_asks_for_help_too() -> None:
    """Of the command and of its verbs."""
    assert millrace("-h").stdout == millrace("--help").stdout
    assert "--redis-url" in millrace("status", "-h").stdout


def test_a_folder_that_cannot_be_made_is_one_plain_line(tmp_path: Path) -> None:
    """With the folder and the reason, as the system says it."""
    (file := tmp_path / "file").touch()
    result = millrace("demo", "--data-dir", str(file / "data"))
    assert (result.returncode, result.stderr) == (1, f"millrace: {file / 'data'}: Not a directory\n")


def test_up_has_the_folder_that_commands_beside_it_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is the same, so that all of them find one database."""
    (file := tmp_path / "file").touch()
    for variable, value in (("MILLRACE_DATA_DIR", str(file)), ("MILLRACE_PORT", "0"), ("MILLRACE_CONSOLE_PORT", "0")):
        monkeypatch.setenv(variable, value)
    result = millrace("up")
    assert (result.returncode, result.stderr.startswith(f"millrace: {file}")) == (1, True)


def test_without_redis_there_is_one_plain_line() -> None:
    """What the libraries log beside it is no news."""
    result = millrace("status", "--redis-url", "redis://127.0.0.1:1/0")
    assert result.returncode == 1
    assert result.stderr.splitlines()[0].startswith("millrace: Redis at redis://127.0.0.1:1/0 cannot be reached")
    assert len(result.stderr.splitlines()) == 1


def test_the_simulators_own_options_are_handed_on() -> None:
    """`millrace simulator` is the simulator, help and all."""
    assert "--events-per-second" in millrace("simulator", "--help").stdout


def test_a_missing_examples_folder_is_one_plain_line(tmp_path: Path) -> None:
    """No traceback, an exit code that scripts see, and the file that is missing."""
    result = millrace("demo", "--examples", str(tmp_path / "none"), "--data-dir", str(tmp_path))
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


def test_a_report_that_could_not_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Otherwise a run of an hour would end without its report."""
    result = millrace("demo", "--report", str(tmp_path / "none" / "report.json"), "--data-dir", str(tmp_path))
    assert result.returncode == 2
    assert "there is no folder" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shell", "says"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_the_completion_script_of_each_shell_is_printed(shell: str, says: str) -> None:
    """As the page of the command line says."""
    command = Path(sys.executable).with_name("millrace")
    environment = {**os.environ, "_MILLRACE_COMPLETE": f"source_{shell}"}
    result = subprocess.run([command], capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert says in result.stdout
    assert "millrace" in result.stdout


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_the_help_of_every_command_has_an_example_and_they_are_all_on_the_page() -> None:
    """An example begins with the command itself. The page is docs/cli.md."""
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for name, command in _commands(typer.main.get_command(app)):
        assert all(re.search(rf"\b{word}\b", page) for word in name.split()), name
        if name not in _HANDED_ON:
            assert f"millrace {name}" in (command.help or "").partition("Example:")[2], name


def test_whatever_prints_a_result_prints_json_too() -> None:
    """Scripts read no tables."""
    for name, command in _commands(typer.main.get_command(app)):
        takes_json = any("--json" in param.opts for param in command.params)
        assert takes_json != (name in _WITHOUT_RESULT), name
