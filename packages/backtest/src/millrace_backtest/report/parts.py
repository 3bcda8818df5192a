"""Parts that pages share: their frame, tiles, tables, facts, and numbers and times as people write them. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from millrace_backtest.exchange.fees import ANY_EXCHANGE, FeeRates
from millrace_backtest.report.charts import shown
from millrace_backtest.report.style import SCRIPT, STYLE


def page_html(title: str, subtitle: str, parts: Iterable[str]) -> str:
    """Return a page that opens without any other file; `subtitle` and the parts are HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1><p class='sub'>{subtitle}</p>{''.join(parts)}</main>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def facts_section(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """Return a list of names and values."""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<h2>{escape(title)}</h2><dl class='card'>{listed}</dl>"


def table_section(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], note: str = "", bars: str = ""
) -> str:
    """Return a table below a title; nothing if it has no rows. `bars` is HTML that stands above it."""
    found = list(rows)
    if not found:
        return ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in found)
    end = f"<p class='note'>{escape(note)}</p>" if note else ""
    return (
        f"<h2>{escape(title)}</h2>{bars}<div class='table' tabindex='0'><table><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{end}"
    )


def tile(value: str, label: str, css: str = "") -> str:
    """Return a number with what it is below it."""
    return f"<div class='tile'><b class='{css}'>{escape(value)}</b><span>{escape(label)}</span></div>"


def short(number: Decimal) -> str:
    """Return a number with eight digits at most behind the point; the documents beside have all."""
    return shown(round(number, 8))


def signed(number: Decimal) -> str:
    """Return a number with its sign."""
    text = short(abs(number))
    return text if text == "0" else f"{'+' if number > 0 else '−'}{text}"


def utc(at_ns: int, *, with_ms: bool = False) -> str:
    """Return a time as a day and a time of the day."""
    moment = datetime.fromtimestamp(at_ns / 1e9, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{moment.microsecond // 1_000:03d}" if with_ms else "")


def duration(seconds: float) -> str:
    """Return a length of time in the unit in which it is read best."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def latency_text(latency: str) -> str:
    """Return a latency with its unit."""
    return f"{latency} ms" if latency[0].isdecimal() else latency


def fee_text(exchange: str, rates: FeeRates) -> str:
    """Return what an exchange charges."""
    where = "all other exchanges" if exchange == ANY_EXCHANGE else exchange
    paid = "what is received" if rates.currency is None else rates.currency
    return f"{where}: maker {short(100 * rates.maker)} %, taker {short(100 * rates.taker)} %, in {paid}"
