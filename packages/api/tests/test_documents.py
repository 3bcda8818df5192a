"""Answers as JSON."""

import json
from decimal import Decimal

import msgspec

from millrace_api.documents import json_response


class Row(msgspec.Struct, rename="camel"):
    """A row of a page."""

    order_id: str
    at_ms: int
    price: Decimal | None = None
    amounts: dict[str, Decimal] = {}


def test_decimals_have_no_exponent_and_texts_stay_as_they_are() -> None:
    """An id that looks like a number is none."""
    rows = [Row("1E-8", 1, Decimal("1E-8"), {"KCS": Decimal("2E+3")}), Row("2", 2, Decimal("1.10"))]
    assert json.loads(bytes(json_response(rows).body)) == [
        {"orderId": "1E-8", "atMs": 1, "price": "0.00000001", "amounts": {"KCS": "2000"}},
        {"orderId": "2", "atMs": 2, "price": "1.10", "amounts": {}},
    ]
