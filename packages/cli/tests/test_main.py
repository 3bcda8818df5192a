import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "millrace_cli.main"]


def millrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_the_verbs() -> None:
    """A newcomer sees what there is."""
    output = millrace("--help").stdout
    for verb in ("demo", "up", "simulator"):
        assert verb in output


def test_no_command_waits_for_what_only_others_need() -> None:
    """Help, status and the demo come without ccxt and the database, which take a second to import."""
    program = "import sys, millrace_cli.main; print({'ccxt', 'sqlalchemy', 'fastapi'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


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
