"""The files of a backtest: result, fills and requests."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from millrace_backtest.backtest import Backtest
from millrace_backtest.report.page import Compared, report_html
from millrace_backtest.result import BacktestResult
from millrace_core.messages import encode
from millrace_core.position import digits
from millrace_core.requests import action_of

if TYPE_CHECKING:
    import polars as pl

RESULT: Final = "result.json"
FILLS: Final = "fills.parquet"
REQUESTS: Final = "requests.parquet"
REPORT: Final = "report.html"


def result_bytes(result: BacktestResult) -> bytes:
    """Return the result as JSON, with its decimals digit for digit."""
    return msgspec.json.format(encode(result), indent=2) + b"\n"


def write_result(folder: Path, result: BacktestResult) -> None:
    """Write the result."""
    (folder / RESULT).write_bytes(result_bytes(result))


def write_tables(folder: Path, backtest: Backtest) -> None:
    """Write fills and requests. Decimals are text, as in exports, so that no digit is lost."""
    _fills(backtest).write_parquet(folder / FILLS)
    _requests(backtest).write_parquet(folder / REQUESTS)


def write_report(folder: Path, backtest: Backtest, result: BacktestResult, compared: Compared = ()) -> None:
    """Write the page."""
    (folder / REPORT).write_text(report_html(backtest, result, compared), encoding="utf-8")


def _fills(backtest: Backtest) -> "pl.DataFrame":
    # Imported on use: it takes 0.3 s and 60 MB.
    import polars as pl

    text = ("tenant", "exchange", "symbol", "source", "order_id", "side", "price", "amount", "fee_cost", "fee_currency")
    schema = {"at_ns": pl.Int64, **dict.fromkeys(text, pl.String), "is_maker": pl.Boolean, "expected": pl.String}
    rows = [
        (
            *(fill.at_ns, fill.tenant, fill.exchange, fill.symbol, fill.source, fill.order_id, fill.side),
            *(digits(fill.price), digits(fill.amount), digits(fill.fee.cost), fill.fee.currency, fill.is_maker),
            None if fill.expected is None else digits(fill.expected),
        )
        for fill in backtest.ledger.fills
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _requests(backtest: Backtest) -> "pl.DataFrame":
    import polars as pl

    text = ("tenant", "source", "action", "exchange", "symbol", "request_id", "payload")
    rows = [
        (
            *(decided.at_ns, decided.tenant, decided.request.payload.order_source, action_of(decided.request)),
            *(decided.request.exchange_id, decided.request.payload.symbol, decided.request.request_id),
            encode(decided.request.payload).decode(),
        )
        for decided in backtest.requests
    ]
    return pl.DataFrame(rows, schema={"at_ns": pl.Int64, **dict.fromkeys(text, pl.String)}, orient="row")
