"""`millrace record`, `data`, `backtest` and `replay` as they are typed, on a real Valkey."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from millrace_backtest.recording.files import Recording, RecordingWriter
from millrace_bus import Bus
from millrace_cli.main import app
from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store import Place, Store

STRATEGIES = Path(__file__).parents[3] / "examples" / "strategies"
BOOK = StreamName(Tenant("StrankaXY"), ExchangeId("binance"), Action("watchOrderBook"), Symbol("KCS/USDT"))
PING_PONG = ("--strategy", "PingPong", "--plugin-dir", str(STRATEGIES), "-c", '{"amount": 1, "tickSize": "0.01"}')


@pytest.fixture
async def falling_book(bus: Bus) -> AsyncIterator[None]:
    """A book that falls ten times a second while the test runs."""
    book = OrderBook()
    book.replace([(100.0, 5.0)], [(100.05, 5.0)], None)

    def snapshot(as_of: Any) -> BookSnapshot:
        return BookSnapshot(book.bids.levels(), book.asks.levels(), str(as_of), book.checksum())

    writer = bus.writer(BOOK, snapshot)
    await writer.open()

    async def move() -> None:
        # It falls through whatever order stands in the middle of the spread.
        for step in count(1):
            price = round(100 - step / 10, 1)
            bids, asks = book.difference([(price, 5.0)], [(round(price + 0.05, 2), 5.0)])
            book.apply(bids, asks, None)
            writer.delta(BookDelta(bids, asks))
            await asyncio.sleep(0.1)

    moving = asyncio.create_task(move())
    yield
    moving.cancel()
    await asyncio.wait([moving])
    await writer.close()


async def recorded(redis_url: str, folder: Path) -> Any:
    """Record in a process of its own until it has some changes, then press Ctrl-C; return what it says at the end."""
    command = (sys.executable, "-m", "millrace_cli.main", "record", "--out", str(folder), "--redis-url", redis_url)
    process = await asyncio.create_subprocess_exec(*command, "--json", stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        while sum(_changes(path) for path in folder.glob("*")) < 20:
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


def _changes(path: Path) -> int:
    return sum(recorded.name == str(BOOK) for recorded in Recording(path))


@pytest.mark.usefixtures("falling_book")
async def test_from_a_recording_to_its_result(terminal: Any, bus: Bus, tmp_path: Path) -> None:
    """Recorded, checked, traded on: the documents say the same as what is printed."""
    folder, out = tmp_path / "recordings", tmp_path / "out"
    said = await recorded(bus.url, folder)
    assert said["messages"] > 5
    assert said["gaps"] == 0
    assert (await terminal.type("data", "check", str(folder))).output.startswith("whole: ")
    assert str(BOOK) in (await terminal.type("data", "list", str(folder))).output
    arguments = (*PING_PONG, "--data", str(folder), "--latency", "0", "--latencies", "20", "--out", str(out))
    found = await terminal.type("backtest", *arguments, "--json")
    assert found.code == 0, found.output
    result = json.loads((out / "result.json").read_text())
    assert result == found.json
    (market,) = result["markets"]
    assert market["trades"] > 0
    assert result["strategies"][0]["requests"]["createOrder"] > 0
    page = (out / "report.html").read_text()
    assert "At other latencies" in page
    replayed = await terminal.type("replay", *PING_PONG, "--data", str(folder))
    assert (replayed.code, "PingPong took in is recorded of nobody" in replayed.output) == (1, True)
    assert (await terminal.type("backtest", *arguments)).stdout.startswith("PingPong on binance KCS/USDT: profit ")


async def test_a_recording_of_the_database(terminal: Any, tmp_path: Path) -> None:
    """What dbsync stored becomes a recording; without a database nothing is written."""
    out = tmp_path / "stored.jsonl.gz"
    arguments = ("data", "from-database", "--tenant", str(BOOK.tenant), "--out", str(out))
    assert (await terminal.type(*arguments)).code == 1
    assert not out.exists()
    async with Store.open(terminal.environment["MILLRACE_DATABASE_URL"]) as store, store.batch() as batch:
        begins = BookSnapshot([(10.0, 5.0)], [(10.05, 5.0)], "1-0", 0)
        batch.snapshot(Place(BOOK.snapshot, MessageId(1, 1), 1_000), MessageId(1, 0), encode(begins))
        batch.book_delta(Place(str(BOOK), MessageId(1, 1), 1_001), encode(BookDelta([(10.01, 1.0)], [])), None)
    assert (await terminal.type(*arguments)).output == f"{out}: 2 messages\n"
    assert len(list(Recording(out))) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--latency", "fast"), "is no latency"),
        (("--fees", "1/2/3/4"), "are no fees"),
        (("--balance", "much"), "is no balance"),
        (("--balance", "USDT=nan"), "is no balance"),
        (("--balance", "USDT=-1"), "is no balance"),
        (("-c", '{"side": "buy", "side": "sell"}'), "duplicate key"),
        (("--since", "2040-01-01"), "nothing of that time"),
        (("--since", "yesterday"), "is no moment"),
        (("-c", "{"), "is not JSON"),
        (("-c", '{"amount": 1, "amuont": 1}'), "$.amuont"),
        (("--strategy", "PingPing"), "PingPong"),
        (("--tenant", "Nobody"), "none of the strategies' streams is recorded"),
    ],
)
async def test_mistakes_are_named(terminal: Any, arguments: tuple[str, ...], text: str, recording: Path) -> None:
    """Each in a line that says what is wrong."""
    found = await terminal.type("backtest", *PING_PONG, "--data", str(recording), *arguments)
    assert found.code == 1
    assert text in found.output


async def test_data_that_is_missing_or_spoilt(terminal: Any, recording: Path, tmp_path: Path) -> None:
    """A folder without recordings, a file that is no recording, and a recording that was cut off."""
    other = tmp_path / "other.jsonl.gz"
    other.write_bytes(b"nothing of the kind")
    assert "no recording" in (await terminal.type("data", "check", str(tmp_path / "empty"))).output
    assert "is no recording" in (await terminal.type("data", "list", str(other))).output
    recording.write_bytes(recording.read_bytes()[:-40])
    found = await terminal.type("data", "check", str(recording))
    assert (found.code, found.output) == (1, f"{recording.name} was cut off\n")


async def _workers_of(pid: int) -> list[Path]:
    """Return the processes that a process started, once there are some."""
    while True:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if found:
            return [Path("/proc", child) for child in found]
        await asyncio.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_sweep_is_interrupted_goes_on_and_is_killed(recording: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it and keeps what was done, which the next one knows; workers end with it even if it is killed."""
    space, out = tmp_path / "space.json", tmp_path / "sweep"
    space.write_text('{"amount": {"from": 0.5, "to": 1.5}, "backoffMs": [100, 200]}')
    arguments = (*PING_PONG, "--data", str(recording), "--space", str(space), "--trials", "100000", "--out", str(out))
    command = (sys.executable, "-m", "millrace_cli.main", "sweep", *arguments, "--search", "random", "--workers", "1")
    for how in (signal.SIGINT, signal.SIGKILL):
        done = len((out / "trials.jsonl").read_bytes().splitlines()) if out.exists() else 1
        process = await asyncio.create_subprocess_exec(*command)
        async with asyncio.timeout(60):
            workers = await _workers_of(process.pid)
            while not out.exists() or len((out / "trials.jsonl").read_bytes().splitlines()) < done + 3:
                await asyncio.sleep(0.05)
            process.send_signal(how)
            assert await process.wait() == (130 if how == signal.SIGINT else -9)
            while any(worker.exists() for worker in workers):
                await asyncio.sleep(0.05)
        result = json.loads((out / "sweep.json").read_text())
        assert not result["isComplete"]
        trials = result["windows"][0]["trials"]
        assert len(trials) >= 3
        assert all(trial["figures"]["trades"] == 0 for trial in trials)
        assert "interrupted" in (out / "sweep.html").read_text()


def _typed(*arguments: str) -> Any:
    """Run a command that waits for signals, which only the main thread may."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_a_sweep_is_written(recording: Path, tmp_path: Path) -> None:
    """Written as documents, a table, a page and the best settings; mistakes are named before anything runs."""
    space, out = tmp_path / "space.json", tmp_path / "sweep"
    space.write_text('{"amount": {"from": 1, "to": 3}}')
    arguments = (*PING_PONG, "--data", str(recording), "--space", str(space), "--out", str(out), "--search", "grid")
    found = _typed("sweep", *arguments, "--in-memory", "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout) == json.loads((out / "sweep.json").read_text())
    assert json.loads((out / "best.json").read_text()) == {"amount": 1, "tickSize": "0.01"}
    for mistake, text in (
        (("--objective", "fame"), "is no objective"),
        (("--walk-forward", "1h"), "are no windows"),
        (("--walk-forward", "1M:1w"), "months differ in length"),
        (("--walk-forward", "1h:1h"), "the recordings last"),
        (("--latency", "6"), "holds another sweep"),
    ):
        assert text in _typed("sweep", *arguments, *mistake).output
    space.write_text('{"amount": [0, 1], "amuont": [1]}')
    output = _typed("sweep", *arguments).output
    assert "$.amount" in output
    assert "$.amuont" in output


async def test_an_import_is_a_recording(terminal: Any, tmp_path: Path) -> None:
    """A file becomes a recording that is whole, candles are made of it, and errors leave nothing."""
    file, out = tmp_path / "ETHUSDT-trades-2025-11-22.csv", tmp_path / "out.jsonl.gz"
    file.write_text("1,100,2,200,1763800000000000,true,true\n2,101,1,101,1763800061000000,true,true\n")
    market = ("--exchange", "binance", "--symbol", "ETH/USDT", "--out", str(out))
    found = await terminal.type("data", "import", str(file), *market)
    assert found.output == f"{out}: 4 messages of stream.PUBLIC.binance.watchTrades.ETH/USDT\n"
    candles = tmp_path / "candles.jsonl.gz"
    assert (await terminal.type("data", "resample", str(out), "--interval", "1m", "--out", str(candles))).code == 0
    assert "watchOHLCV.ETH/USDT " in (await terminal.type("data", "list", str(candles))).output
    assert (await terminal.type("data", "check", str(candles))).output == "whole: 7 messages of 4 journals\n"
    assert "exists" in (await terminal.type("data", "import", str(file), *market)).output
    file.write_text("1,100,many\n")
    out.unlink()
    assert "none of the files" in (await terminal.type("data", "import", str(file), *market)).output
    assert not out.exists()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of one stream, beside a folder without any."""
    (tmp_path / "empty").mkdir()
    path = tmp_path / "short.jsonl.gz"
    with RecordingWriter(path, 1) as writer:
        writer.message(BOOK.snapshot, 1, "1-1", b'{"id":"1-1","type":"snapshot","timestamp":null,"trace":{},"data":{}}')
        writer.message(str(BOOK), 1, "1-1", b'{"id":"1-1","type":"status","timestamp":null,"trace":{},"data":{}}')
        writer.end(2)
    return path
