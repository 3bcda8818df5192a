import os
import sys
from pathlib import Path

import pytest

from millrace_magicbox.plugins import PluginAmbiguous, PluginBroken, PluginNotFound, load_strategy, plugin_folder
from millrace_service import SettingsInvalid
from millrace_strategy import Strategy

STRATEGY = "from millrace_strategy import Strategy\n\n\nclass Mine(Strategy):\n    version = {version}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a plugin folder with one good strategy, and one file that is not Python."""
    (tmp_path / "mine.py").write_text(STRATEGY.format(version=1))
    (tmp_path / "rubbish.py").write_text("class Rubbish(:\n")
    return tmp_path


def test_a_strategy_is_found_by_its_class_whatever_else_is_broken(folder: Path) -> None:
    """A file that cannot be read does not keep others from being found."""
    found = load_strategy("Mine", folder)
    assert issubclass(found, Strategy)
    assert found.__name__ == "Mine"


def test_a_file_that_changed_is_read_anew(folder: Path) -> None:
    """Loading again returns the current class, even if the file was saved within the same second."""
    before = load_strategy("Mine", folder)
    (folder / "mine.py").write_text(STRATEGY.format(version=2))
    after = load_strategy("Mine", folder)
    assert (before.version, after.version) == (1, 2)  # type: ignore[attr-defined]


def test_what_is_not_found_says_where_it_was_looked_for_and_what_could_not_be_read(folder: Path) -> None:
    """A file with a syntax error is named, for it may hold the class."""
    with pytest.raises(PluginNotFound, match=r"no strategy named Rubbish.*rubbish\.py cannot be read: SyntaxError"):
        load_strategy("Rubbish", folder)
    with pytest.raises(PluginNotFound, match="MILLRACE_PLUGIN_DIR"):
        load_strategy("Mine", None)


def test_a_file_that_cannot_be_imported_is_named_with_its_line(folder: Path) -> None:
    """An error of the import is reported as the plugin's, with its place."""
    (folder / "faulty.py").write_text(STRATEGY.format(version=1).replace("Mine", "Faulty") + "\n1 / 0\n")
    with pytest.raises(PluginBroken, match=r"faulty\.py cannot be imported: ZeroDivisionError: .* \(line 7\)"):
        load_strategy("Faulty", folder)
    assert "millrace_plugin_faulty" not in sys.modules


def test_a_fork_of_a_file_s_does_not_go_on_as_we_do(folder: Path) -> None:
    """It would trade as well, answer the agent with our connection, and read what is meant for us."""
    text = STRATEGY.format(version=1).replace("Mine", "Forking")
    (folder / "forking.py").write_text(f"import os\n{text}\nPID = os.fork()\n")
    pid = os.getpid()
    found = load_strategy("Forking", folder)
    if os.getpid() != pid:
        os._exit(0)
    fork = sys.modules[found.__module__].PID
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 1


def test_a_class_that_is_no_strategy_is_refused(folder: Path) -> None:
    """Only what derives from Strategy can be run."""
    (folder / "other.py").write_text("class Other:\n    pass\n")
    with pytest.raises(PluginBroken, match="not a class derived"):
        load_strategy("Other", folder)


def test_a_class_in_two_files_is_refused(folder: Path) -> None:
    """The choice must not depend on chance."""
    (folder / "copy.py").write_text(STRATEGY.format(version=1))
    with pytest.raises(PluginAmbiguous, match=r"copy\.py.*mine\.py"):
        load_strategy("Mine", folder)


def test_the_plugin_folder_is_named_or_lies_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment comes first, then `strategies`, then `examples/strategies` of the working directory."""
    monkeypatch.chdir(tmp_path)
    assert plugin_folder({}) is None
    (tmp_path / "examples/strategies").mkdir(parents=True)
    assert plugin_folder({}) == Path("examples/strategies")
    (tmp_path / "strategies").mkdir()
    assert plugin_folder({}) == Path("strategies")
    (tmp_path / "mine").mkdir()
    assert plugin_folder({"MILLRACE_PLUGIN_DIR": "mine"}) == Path("mine")
    with pytest.raises(SettingsInvalid, match="MILLRACE_PLUGIN_DIR is 'theirs'"):
        plugin_folder({"MILLRACE_PLUGIN_DIR": "theirs"})
