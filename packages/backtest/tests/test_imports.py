"""Files of Tardis.dev and Binance become recordings that are whole, exact, and as good as those of the journals."""

import gzip
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millrace_backtest.errors import ImportFailed, NothingRecorded
from millrace_backtest.imports.importing import Imported, import_files
from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.recording.summary import check
from millrace_core.messages import decode
from millrace_core.names import StreamName
from millrace_strategy import BookEvent, Strategy

from .conftest import BOOK, EXCHANGE, SYMBOL, TRADES, run

US = 1_763_800_000_000_000
L2 = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TICKS = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
QUOTES = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"


def row(us: int, *cells: object) -> str:
    """Return a row of Tardis: of the exchange's time, and 100 µs later that of arrival."""
    return ",".join(map(str, ("binance", "ETHUSDT", US + us, US + us + 100, *cells)))


def write(path: Path, *lines: str) -> Path:
    """Write a CSV file, compressed as its name says."""
    text = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
    else:
        path.write_bytes(text)
    return path


def imported(folder: Path, *files: Path) -> tuple[Imported, Recording]:
    """Import files, and check what they became."""
    out = folder / "out.jsonl.gz"
    found = import_files(files, BOOK, out)
    assert check([Recording(out)]).problems == []
    return found, Recording(out)


def messages(recording: Recording, action: str) -> list[Any]:
    """Return times and data of the changes of a stream."""
    found = []
    for recorded in recording:
        assert isinstance(recorded.what, RecordedMessage)
        message = decode(recorded.what.body)
        if message.type == "delta" and StreamName.parse(recorded.name).action == action:
            found.append((recorded.at_ns, msgspec.json.decode(message.data)))
    return found


def last_book(recording: Recording) -> Any:
    """Return bids and asks at the end."""
    playback = StreamPlayback(BOOK, 0)
    for recorded in recording:
        assert isinstance(recorded.what, RecordedMessage)
        message = decode(recorded.what.body)
        if recorded.name == BOOK.snapshot:
            playback.snapshot(message)
        elif recorded.name == str(BOOK):
            playback.message(arrived(message, recorded.at_ns))
    assert playback.trusted
    book: Any = playback.state
    return book.book.bids.levels(), book.book.asks.levels()


def book_file(folder: Path) -> Path:
    """A day of changes of a book: begun anew in the middle, once crossed by a level that was never taken away."""
    return write(
        folder / "binance_incremental_book_L2_2025-11-22_ETHUSDT.csv.gz",
        L2,
        row(0, "false", "bid", 1, 1),
        *(row(10, "true", "bid", 100, 1.5), row(10, "true", "bid", 99.5, 2), row(10, "true", "ask", 101, "0.3")),
        *(row(2_000_000, "false", "ask", "100.8", 4), row(2_000_000, "false", "bid", 99.5, 0)),
        row(3_000_000, "false", "bid", "100.9", 0.00001),
        *(row(9_000_000, "true", "bid", 98, 1), row(9_000_000, "true", "ask", 99, 1)),
        *(row(9_000_000 + n * 1_000, "false", "bid", 97, n) for n in range(1, 150)),
    )


class Buyer(Strategy):
    """Buys once."""

    is_done = False

    def on_order_book(self, event: BookEvent) -> None:
        """Buy at the first book."""
        if not self.is_done:
            self.is_done = True
            self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", amount=Decimal("0.2"))


async def test_books_and_trades_of_tardis(tmp_path: Path) -> None:
    """Rows of one arrival are one message; a strategy trades on them as on any recording."""
    ticks = write(
        tmp_path / "trades.csv",
        TICKS,
        *(row(5, "a", "buy", "100.123456789", "0.1"), row(5, "", "unknown", 100, 2), row(6, "b", "sell", 99, 3)),
    )
    found, recording = imported(tmp_path, ticks, book_file(tmp_path))
    assert found.uncrossed == 1
    assert last_book(recording) == ([(98.0, 1.0), (97.0, 149.0)], [(99.0, 1.0)])
    (at_ns, first), (_, second) = messages(recording, "watchTrades")
    assert at_ns == (US + 105) * 1_000
    assert [(trade["id"], trade["side"], trade["price"], trade["timestamp"]) for trade in first["trades"]] == [
        ("a", "buy", 100.123456789, US // 1_000),
        (None, None, 100.0, US // 1_000),
    ]
    assert second["trades"][0]["side"] == "sell"
    backtest = await run(Buyer, recording)
    assert [(fill.price, fill.amount) for fill in backtest.ledger.fills] == [(Decimal(101), Decimal("0.2"))]


def test_snapshots_and_quotes(tmp_path: Path) -> None:
    """Whole books become changes. Quotes alone are a book of one level as well."""
    columns = ",".join(
        f"{side}[{at}].{part}" for at in (0, 1) for side in ("asks", "bids") for part in ("price", "amount")
    )
    snapshots = write(
        tmp_path / "book_snapshot_2.csv",
        L2.partition(",is_snapshot")[0] + "," + columns,
        row(1, 101, 1, 100, 2, 102, 1, 99, 5),
        row(2, 101, 1, 100, 3, "", "", 99, 5),
    )
    quotes = write(tmp_path / "quotes.csv.gz", QUOTES, row(1, 2, 101, 100, 5), row(2, "", "", 100.5, 4))
    recording = imported(tmp_path, snapshots)[1]
    assert messages(recording, "watchOrderBook")[0][1] == {"bids": [[100.0, 3.0]], "asks": [[102.0, 0.0]]}
    recording.path.unlink()
    recording = imported(tmp_path, quotes)[1]
    assert last_book(recording) == ([(100.5, 4.0)], [])
    _, (_, second) = messages(recording, "watchBidsAsks")
    assert (second["bid"], second["bidVolume"], second["ask"]) == (100.5, 4.0, None)


@pytest.mark.parametrize("unit", [1_000, 1])
@pytest.mark.parametrize("with_header", [True, False])
def test_public_data_of_binance(tmp_path: Path, unit: int, with_header: bool) -> None:
    """In ms and in µs, with and without a header, zipped: trades, then aggregated ones, candles, best bid and ask."""

    def day(kind: str, number: int, header: str, *rows: str) -> Path:
        path = tmp_path / f"ETHUSDT-{kind}-2025-11-2{number}.zip"
        return write(path, *([header] if with_header else []), *rows)

    t = US // unit
    trades_header = "id,price,qty,quote_qty,time,is_buyer_maker" + ("" if with_header else ",is_best_match")
    best = "" if with_header else ",True"
    second = 1_000_000 // unit
    files = [
        day(
            "aggTrades",
            2,
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
            + ("" if with_header else ",is_best_match"),
            f"8,101,1.5,8,9,{t + 5 * second},False{best}",
        ),
        day(
            "trades",
            1,
            trades_header,
            f"7,100.10000000,0.5,50.05,{t},True{best}",
            f"7,100,0.5,50,{t - second // 10},true{best}",
        ),
        day(
            "1m",
            1,
            "open_time,open,high,low,close,volume,close_time,quote_volume,count",
            f"{t - 20 * second},1,4,0.5,2,10.5,{t + 40 * second - 1},30,7",
        ),
        day(
            "bookTicker",
            1,
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
            f"1,99,1,100,2,{t + second},{t + second}",
        ),
    ]
    recording = imported(tmp_path, *files)[1]
    trades = messages(recording, "watchTrades")
    assert [(at_ns, data["trades"][0]["side"]) for at_ns, data in trades] == [
        (US * 1_000, "sell"),
        (US * 1_000, "sell"),
        ((US + 5_000_000) * 1_000, "buy"),
    ]
    assert [data["trades"][0]["amount"] for _, data in trades] == [0.5, 0.5, 1.5]
    ((at_ns, candles),) = messages(recording, "watchOHLCV")
    assert at_ns == (US + 40_000_000) * 1_000
    assert candles == {"timeframe": "1m", "candles": [[US // 1_000 - 20_000, 1, 4, 0.5, 2, 10.5]]}
    assert last_book(recording) == ([(99.0, 1.0)], [(100.0, 2.0)])


@pytest.mark.parametrize(("opened", "closed"), [("2023-12", "2024-01"), ("2024-02", "2024-03"), ("2025-02", "2025-03")])
def test_klines_of_a_month_end_by_the_calendar(tmp_path: Path, opened: str, closed: str) -> None:
    """However many days it has; 30 days are no month elsewhere."""
    opens, closes = (
        int(datetime.fromisoformat(f"{each}-01T00:00:00Z").timestamp()) * 1_000 for each in (opened, closed)
    )
    file = write(tmp_path / f"ETHUSDT-1mo-{opened}.csv", f"{opens},1,4,0.5,2,10.5,{closes - 1},1")
    import_files([file], BOOK, tmp_path / "out.jsonl.gz")
    ((at_ns, candles),) = messages(Recording(tmp_path / "out.jsonl.gz"), "watchOHLCV")
    assert (at_ns, candles) == (closes * 1_000_000, {"timeframe": "1M", "candles": [[opens, 1, 4, 0.5, 2, 10.5]]})
    wrong = write(tmp_path / "ETHUSDT-1mo-2024-04.csv", f"{closes},1,4,0.5,2,10.5,{closes + 30 * 86_400_000 - 1},1")
    with pytest.raises(ImportFailed, match="no candle lasts"):
        import_files([wrong], BOOK, tmp_path / "wrong.jsonl.gz")


GOOD = row(1, "a", "buy", 100, 1)


@pytest.mark.parametrize(
    ("name", "lines", "text"),
    [
        ("trades.csv", [TICKS, GOOD, row(2, "b", "bought", 100, 1)], "line 3, column side: 'bought' is neither"),
        ("trades.csv", [TICKS, GOOD, row(2, "b", "buy", "1e", 1)], "line 3, column price: '1e' is no number"),
        ("trades.csv", [TICKS, GOOD, row(2, "b", "buy", 0, 1)], "column price: '0' is not above 0"),
        ("trades.csv", [TICKS, row(2, "b", "buy", "0.12345678901234567891", 1)], "line 2, column price: '0.12345678"),
        ("trades.csv", [TICKS, GOOD, "binance,ETHUSDT,1"], "line 3: has 3 columns; the file has 8"),
        ("trades.csv", [TICKS, GOOD, GOOD.replace("ETH", "BTC")], "line 3, column symbol: another market"),
        ("trades.csv", [TICKS, "binance,ETHUSDT,2025-11-22,1,a,buy,1,1"], "column local_timestamp: '1' is no time"),
        ("binance_liquidations_2025.csv", [TICKS, GOOD], "none of the files that can be imported"),
        ("ETHUSDT-bookDepth-2025-11-22.csv", ["timestamp,percentage,depth,notional", "a,1,2,3"], "none of the files"),
        ("BTCUSDT-trades-2025-11-22.csv", [f"1,2,3,4,{US},true,true"], "it is of BTCUSDT"),
        ("ETHUSDT-1m-2025-11-22.csv", [f"{US},1,1,1,1,1,{US + 5_000_000},1"], "no candle lasts 5,000 ms"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(tmp_path: Path, name: str, lines: list[str], text: str) -> None:
    """With file, line and column."""
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ImportFailed, match=name.replace(".", r"\.")) as raised:
        import_files([write(tmp_path / name, *lines)], BOOK, folder / "out.jsonl.gz")
    assert text in str(raised.value)
    assert list(folder.iterdir()) == []


def test_rows_that_are_not_by_time_or_twice_are_an_error(tmp_path: Path) -> None:
    """Newest first, all would count as of the first time; trades of one second back are as exchanges print them."""
    rows = [row(second * 1_000_000, second, "buy", 100, 1) for second in range(60)]
    for name, lines in (("go back", rows[::-1]), ("go back", [*rows, *rows[-3:]]), ("twice", [*rows[:5], *rows[4:]])):
        with pytest.raises(ImportFailed, match=name):
            import_files([write(tmp_path / "x.csv", TICKS, *lines)], BOOK, tmp_path / "out.jsonl.gz")
        assert not (tmp_path / "out.jsonl.gz").exists()
    _, recording = imported(tmp_path, write(tmp_path / "x.csv", TICKS, rows[1], rows[0], rows[2]))
    assert len(messages(recording, "watchTrades")) == 3


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    """The same time twice; a file that was cut off; files without rows."""
    one, two = (write(tmp_path / f"{name}.csv", TICKS, GOOD, row(9, "b", "buy", 1, 1)) for name in ("one", "two"))
    out = tmp_path / "out.jsonl.gz"
    with pytest.raises(ImportFailed, match=r"two\.csv: it begins before one\.csv ends"):
        import_files([one, two], BOOK, out)
    cut = book_file(tmp_path)
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(ImportFailed, match="the file is broken here"):
        import_files([cut], BOOK, out)
    with pytest.raises(NothingRecorded):
        import_files([write(tmp_path / "empty.csv.gz"), write(tmp_path / "header.csv", TICKS)], BOOK, out)
    assert not out.exists()
    assert TRADES.action == "watchTrades"
