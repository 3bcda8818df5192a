"""`millrace new strategy`: what it writes passes its own test, and overwrites nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from millrace_core.config import MagicboxConfig, parse_config


async def test_a_new_strategy_passes_its_own_test(terminal: Any, tmp_path: Path) -> None:
    """As in a clone of millrace, whose own pytest settings hold there: no file of the folder can be imported by name.

    Its module is named by the words of its name; a second one of the name is refused and changes nothing.
    """
    folder = tmp_path / "mine"
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n")
    written = await terminal.type("new", "strategy", "FXQuoter", "--folder", str(folder))
    assert written.code == 0, written.output
    assert sorted(path.name for path in folder.iterdir()) == ["fx_quoter.py", "magicbox.json", "test_fx_quoter.py"]
    parse_config(MagicboxConfig, (folder / "magicbox.json").read_text())
    command = [sys.executable, "-m", "pytest", "-q", "mine"]
    tested = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert "3 passed" in tested.stdout, tested.stdout + tested.stderr
    (folder / "fx_quoter.py").write_text("changed")
    again = await terminal.type("new", "strategy", "FXQuoter", "--folder", str(folder))
    assert again.code == 1
    assert "exists already" in again.output
    assert (folder / "fx_quoter.py").read_text() == "changed"


async def test_a_name_that_is_no_class_s_is_refused(terminal: Any, tmp_path: Path) -> None:
    """Before anything is written."""
    for name in ("quoter", "My-Strategy", "../Quoter", "None", "Strategy", "Decimal"):
        assert (await terminal.type("new", "strategy", name, "--folder", str(tmp_path / "mine"))).code == 2
    assert not (tmp_path / "mine").exists()
