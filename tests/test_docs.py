"""What the docs tell a reader to type is typed, as it is printed: host, port and token included."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.console import Command, File, Terminal, steps
from tests.support.platform import ROOT

PAGES = ("README.md", "docs/tutorial.md")
"""The pages that a reader follows beside `make demo`."""
TOKEN = "mr_…"


def test_promises_are_compared() -> None:
    """An ellipsis stands for any text, alone on its line for any lines; all else has to be there."""
    command = Command("x", "GATHERER … running\n…\nend\n")
    assert command.is_kept("GATHERER     running\nend\n")
    assert command.is_kept("GATHERER  is running\nmore\nand more\nend")
    assert not command.is_kept("GATHERER     stopped\nend\n")
    assert not command.is_kept("GATHERER     running\n")
    assert Command("x", "").is_kept("")
    assert not Command("x", "").is_kept("an error\n")


def test_files_and_commands_are_found_in_order() -> None:
    """A block is saved where the sentence before it says so; one without a language is only shown."""
    page = (
        "Save this as `a.py`:\n\n```python\nx = 1\n```\n\n```\nmake demo\n```\n\n```python\ny = 2\n```\n\n"
        "```console\n$ one\nsaid\n$ two\n```\n"
    )
    assert list(steps(page)) == [File("a.py", "x = 1\n"), Command("one", "said\n"), Command("two", "")]


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal in a fresh clone, as far as the demo needs one, beside which the demo runs."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    terminal = Terminal(tmp_path)
    await terminal.open()
    await terminal.type(".venv/bin/millrace demo > demo.log 2>&1 &")
    yield terminal
    await terminal.close()


@pytest.mark.system
@pytest.mark.timeout(400)
async def test_what_the_docs_say_is_what_happens(terminal: Terminal, tmp_path: Path) -> None:
    """Page after page, beside one demo."""
    token = await _token(tmp_path / "demo.log")
    again = re.search(r"^sign in again: (.+)$", (tmp_path / "demo.log").read_text(), re.MULTILINE)
    assert again is not None
    await terminal.keeps(Command(again.group(1), "http://localhost:8081/enter?code=…\n"))
    for page in PAGES:
        for step in steps((ROOT / page).read_text()):
            if isinstance(step, File):
                (tmp_path / step.path).write_text(step.text)
            else:
                await terminal.keeps(Command(step.text.replace(TOKEN, token), step.promised))


async def _token(log: Path) -> str:
    """Return the tenant's token, which the demo prints."""
    async with asyncio.timeout(90):
        while (found := re.search(r"token of StrankaXY: (\S+)", log.read_text() if log.exists() else "")) is None:
            # A file that grows announces nothing.
            await asyncio.sleep(0.1)
    return found.group(1)


@pytest.mark.system
async def test_the_servers_of_the_operators_page_start(tmp_path: Path) -> None:
    """Its first lines by hand: Redis keeps what is written, behind passwords, and PostgreSQL's programs are found."""
    for each in ("deploy", "tools"):
        shutil.copytree(ROOT / each, tmp_path / each)
    for each in ("Makefile", ".env.example"):
        shutil.copy(ROOT / each, tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    block = re.search(r"^```bash\nmake install\n(.*?)^```$", (ROOT / "docs/operations.md").read_text(), re.M | re.S)
    assert block is not None
    terminal = Terminal(tmp_path)
    await terminal.open()
    try:
        await terminal.type(block[1])
        said = "ok   redis appendonly: yes, fsync everysec\n"
        await terminal.keeps(Command("millrace doctor --no-exchanges | grep appendonly", said))
        await terminal.keeps(Command("initdb --version; pg_ctl --version", "initdb …\npg_ctl …\n"))
    finally:
        await terminal.close()
