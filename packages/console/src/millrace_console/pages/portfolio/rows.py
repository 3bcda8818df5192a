"""Balances, positions and profits as rows of tables. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from millrace_console.display.table import Cell, Column, Row
from millrace_console.display.text import NONE, ago, number, short_number, sign_class
from millrace_console.pages.portfolio.choice import DIMENSIONS, NO_REQUEST, source_of
from millrace_console.pages.portfolio.profits import Sum

MINUTE_MS = 60_000
BALANCES = (
    Column("Tenant"), Column("Exchange"), Column("Currency"), Column("Amount", "number"), Column("Borrowed", "number"),
    Column("Price", "number"), Column("Value", "number"), Column("In"), Column("As of"),
)  # fmt: skip
POSITIONS = (
    Column("Tenant"), Column("Market"), Column("Strategy"), Column("Quantity", "number"), Column("Average", "number"),
    Column("Price", "number"), Column("Unrealised", "number"), Column("Realised", "number"), Column("In"),
    Column("Fees as charged", "number"), Column("Last trade"),
)  # fmt: skip


def profit_columns(by: Iterable[str]) -> list[Column]:
    """Return the columns of profits that are separated by some dimensions."""
    kept = [Column(DIMENSIONS[each]) for each in by]
    numbers = [Column(each, "number") for each in ("Realised", "Fees", "Fees as charged", "Turnover", "Trades")]
    return [*kept, *numbers[:1], Column("In"), *numbers[1:]]


def profit_rows(sums: Mapping[tuple[str, ...], Sum]) -> list[Row]:
    """Return a row for each sum."""
    return [
        [
            *(Cell(each, "warn" if each == NO_REQUEST else "") for each in parts),
            _gain(profit.realised),
            currency,
            _fees(profit),
            charged_text(profit.charged),
            _short(profit.turnover),
            number(profit.trades),
        ]
        for (*parts, currency), profit in sums.items()
    ]


def balance_rows(tenant: str, sample: Mapping[str, Any], now_ms: int) -> list[Row]:
    """Return a row for each balance of a sample of equity; an old price says how old it is."""
    age = now_ms - sample["atMs"]
    as_of = (
        Cell(f"{ago(sample['atMs'], now_ms)} ago", "nowrap") if age < 3 * MINUTE_MS else _old(sample["atMs"], now_ms)
    )
    return [
        [
            tenant,
            each["exchange"],
            each["currency"],
            number(each["amount"]),
            number(each["debt"]),
            _short(each["price"]),
            Cell("▲ no price", "warn") if each["value"] is None else _short(each["value"]),
            sample["currency"],
            as_of,
        ]
        for each in sorted(sample["holdings"] or (), key=_worth, reverse=True)
    ]


def position_row(tenant: str, row: Mapping[str, Any], now_ms: int) -> Row:
    """Return a position; what belongs to no known request says so."""
    source = source_of(row)
    quantity = Decimal(row["quantity"])
    return [
        tenant,
        f"{row['symbol']} {row['exchange']}",
        Cell(source, "warn" if source == NO_REQUEST else ""),
        Cell(number(quantity), sign_class(quantity)),
        _short(row["averagePrice"]) if quantity else Cell(NONE),
        Cell(number(row["price"]), hint=f"{ago(row['priceAtMs'], now_ms)} ago"),
        _gain(row["unrealised"]),
        _gain(row["realised"]),
        row["currency"],
        charged_text(row["feesByCurrency"]),
        Cell(f"{ago(row['updatedMs'], now_ms)} ago", "nowrap", hint=f"{number(row['trades'])} trades"),
    ]


def charged_text(charged: Mapping[str, Any]) -> str:
    """Return amounts of several currencies."""
    return ", ".join(f"{number(amount)} {currency}" for currency, amount in sorted(charged.items())) or NONE


def _gain(value: Any) -> Cell:
    return _short(value)._replace(text=short_number(value, signed=True), style=sign_class(value))


def _short(value: Any) -> Cell:
    text = short_number(value)
    whole = number(value)
    return Cell(text, hint="" if whole == text else whole)


def _fees(profit: Sum) -> Cell:
    if not profit.unvalued:
        return _short(profit.fees)
    return Cell(f"▲ {short_number(profit.fees)}", "warn", hint=f"without {charged_text(profit.unvalued)}: no price")


def _old(at_ms: int, now_ms: int) -> Cell:
    return Cell(f"▲ {ago(at_ms, now_ms)} ago", "warn nowrap", hint="No newer valuation is stored.")


def _worth(holding: Mapping[str, Any]) -> Decimal:
    return Decimal(holding["value"] or 0)
