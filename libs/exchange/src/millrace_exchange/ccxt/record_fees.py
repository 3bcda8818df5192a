"""Fees in several currencies, as an exchange says them in its own record of which ccxt takes one. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from millrace_core.decimals import number
from millrace_core.json_problems import UNREADABLE
from millrace_core.position import EXACT
from millrace_exchange.profile import FeeFields


def with_all_fees(
    unified: Mapping[str, Any], places: Sequence[FeeFields], worth: str | None = None
) -> Mapping[str, Any]:
    """Return ccxt's trade or order with all fees that the exchange's own record says; as it is where that says none.

    If the record has the field `worth`, ccxt's fee is what it is worth in a currency that may not have been charged.
    """
    record = unified.get("info") if places or worth is not None else None
    if not isinstance(record, Mapping):
        return unified
    if worth in record:
        unified = {**unified, "fee": None, "fees": []}
    fees = [fee for place in places for fee in _fees(record, place)]
    return {**unified, "fees": fees} if fees else unified


def _fees(record: Mapping[str, Any], place: FeeFields) -> Iterator[dict[str, Any]]:
    for key, row in _rows(record, place):
        named = row if isinstance(row, Mapping) else {}
        currency = named.get(place.currency) if place.currency else key
        cost = named.get(place.cost) if place.cost else row
        if currency and cost not in (None, ""):
            with suppress(ArithmeticError, ValueError):
                charged = Decimal(str(cost))
                text = str(EXACT.minus(charged) if place.is_negative else charged)
                yield {"currency": str(currency), "cost": number(text)}


def _rows(record: Mapping[str, Any], place: FeeFields) -> Iterator[tuple[str, Any]]:
    rows = record.get(place.rows) if place.rows else [record]
    if isinstance(rows, str):
        with suppress(*UNREADABLE):
            rows = msgspec.json.decode(rows)
    if isinstance(rows, Mapping):
        yield from rows.items()
    elif isinstance(rows, list):
        yield from (("", row) for row in rows)
