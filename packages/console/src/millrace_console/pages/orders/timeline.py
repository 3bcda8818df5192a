"""The history of one order: requests, answers, reports and fills in the order in which they happened. Pure."""

from typing import Any, NamedTuple

from millrace_console.display.text import NONE, date_and_time, number

Record = dict[str, Any]


class Event(NamedTuple):
    """One thing that happened."""

    at_ms: int
    what: str
    details: str
    style: str = ""


def timeline(history: Record) -> list[Event]:
    """Return everything that is known of one order, oldest first; of one moment, in the order of cause and effect."""
    events = [
        *map(_request, history["requests"]),
        *map(_answer, history["responses"]),
        *map(_report, history["events"]),
        *map(_fill, history["fills"]),
    ]
    return sorted(events, key=lambda each: each.at_ms)


def moment(ms: int) -> str:
    """Return date and time in UTC, to the ms."""
    return f"{date_and_time(ms)}.{ms % 1_000:03}"


def _request(record: Record) -> Event:
    payload = record["request"].get("payload") or {}
    terms = [f"{name} {_term(value)}" for name, value in payload.items() if name not in ("orderSource", "symbol")]
    by = f" by {record['orderSource']}" if record["orderSource"] else ""
    return Event(record["atMs"], f"➜ request {record['action'] or ''}{by}", ", ".join(terms))


def _term(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _answer(record: Record) -> Event:
    if record["status"] == "done":
        return Event(record["atMs"], f"● answer to {record['action']}: done", f"order {record['orderId'] or NONE}")
    error = f"{record['errorKind'] or ''}: {record['errorMessage'] or 'no reason given'}"
    return Event(record["atMs"], f"✖ answer to {record['action']}: {record['status']}", error, "bad")


def _report(record: Record) -> Event:
    order = record["order"]
    where = "exchange's stream" if ".watch" in record["stream"] else "executor's answer"
    details = (
        f"filled {number(order.get('filled'))} of {number(order.get('amount'))} at {number(order.get('price'))}"
        f", average {number(order.get('average'))}"
    )
    return Event(record["atMs"], f"○ reported {order.get('status') or NONE} by the {where}", details)


def _fill(record: Record) -> Event:
    fees = record.get("feesByCurrency") or {record["feeCurrency"] or "": record["feeCost"]}
    charged = "".join(f", fee {number(cost)} {currency}" for currency, cost in fees.items() if cost)
    details = f"{number(record['amount'])} at {number(record['price'])}{charged}"
    return Event(record["atMs"], f"◆ filled ({record['takerOrMaker'] or 'own trade'})", details)
