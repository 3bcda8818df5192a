import subprocess
import sys

COMMAND = [sys.executable, "-m", "millrace_cli.main"]


def millrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_the_verbs() -> None:
    """A newcomer sees what there is."""
    output = millrace("--help").stdout
    for verb in ("demo", "up", "simulator"):
        assert verb in output


def test_the_simulators_own_options_are_handed_on() -> None:
    """`millrace simulator` is the simulator, help and all."""
    assert "--events-per-second" in millrace("simulator", "--help").stdout


def test_a_missing_examples_folder_is_one_plain_line() -> None:
    """No traceback, an exit code that scripts see, and the file that is missing."""
    result = millrace("demo", "--examples", "/nonexistent", "--data-dir", "/nonexistent")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
