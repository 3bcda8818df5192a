"""Every command in docs/cli.md is run as it is printed there, and prints what stands there."""

import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_service.encryption import new_key

ROOT = Path(__file__).parents[3]
TENANT = Tenant("StrankaXY")


class Printed(NamedTuple):
    """A command and the lines that the page promises."""

    command: str
    lines: list[str]


def printed(text: str) -> Iterator[Printed]:
    """Yield the commands of a page's console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield Printed(command, lines)


def is_as_promised(output: str, lines: list[str]) -> bool:
    """Compare line by line; … stands for any text, and alone on a line for any lines. Columns may be wider."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else _line(line) for line in lines)
    return re.fullmatch(pattern, output) is not None


def _line(line: str) -> str:
    parts = ("[ ]+".join(map(re.escape, part.split())) for part in line.split("…"))
    return "[ ]*" + ".*".join(parts) + r"[ ]*\n"


@pytest.fixture
async def platform(terminal: Any, bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page takes for granted: two agents, an order, files."""
    at_ms = now_ms()
    for kind, unit in (("gatherer", "PUBLIC.binance.watchOrderBook.ETH/BTC"), ("magicbox", "StrankaXY.PingPong")):
        agent = AgentId(kind.upper())
        units = [UnitHealth(unit, "live", at_ms)]
        await bus.heartbeat(Heartbeat(agent, kind, "running", 1, at_ms, at_ms, "1", units=units))
        await bus.put_config(agent, f'{{"agent": {{"id": "{agent}"}}}}')
    for number, status in (("1", "open"), ("2", "closed")):
        order = Order(number, "KCS/USDT", side="buy", amount=Decimal(1), status=status, timestamp=at_ms)
        await bus.orders.merge(TENANT, OrderRecord(order, "binance", at_ms, "James"))
    name = StreamName(TENANT, ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))
    await bus.register_journals(TENANT, str(name))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "secret.txt").write_text("s3cr3t\n")
    (tmp_path / "keys.json").write_text('{"apiKey": "k", "secret": "s"}')
    (tmp_path / "broken.json").write_text('{"agent": {"id": "GATHERER"}, "workplans": 5, "workplan": []}')
    monkeypatch.chdir(tmp_path)
    terminal.environment["MILLRACE_SECRET_KEY"] = new_key()
    terminal.environment["COLUMNS"] = "120"
    await terminal.type("tokens", "create", "--tenant", "PUBLIC", "--name", "makes the database")


async def _run(terminal: Any, command: str) -> str:
    words = shlex.split(command)
    to = words.index(">") if ">" in words else len(words)
    given = Path(words[words.index("<") + 1]).read_text() if "<" in words else None
    arguments = words[1 : words.index("<")] if "<" in words else words[1:to]
    found = await terminal.type(*arguments, keys=given)
    if to < len(words):
        Path(words[to + 1]).write_text(found.stdout)
        return ""
    return str(found.output)


@pytest.mark.usefixtures("platform")
async def test_the_page_of_the_command_line_is_true(terminal: Any, bus: Bus, answering: Any) -> None:
    """From top to bottom, each command after those before it."""
    commands = list(printed((ROOT / "docs" / "cli.md").read_text()))
    assert len(commands) > 15
    async with answering(bus):
        for command, lines in commands:
            output = await _run(terminal, command)
            assert is_as_promised(output, lines), f"$ {command}\n{output}"
