"""Compares an account's own trades and balances with the exchange's own ledger."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
from redis.asyncio import Redis
from tests.support.exchanges import SYMBOL, TradedExchange

from millrace_core.decimals import number
from millrace_core.ids import MessageId
from millrace_core.names import StreamName, Symbol, Tenant
from millrace_simulator.server import Server

_TENANT = Tenant("StrankaXY")
_Message = dict[str, Any]
_decode = msgspec.json.Decoder(_Message, float_hook=number).decode


async def wrong_trades(client: Redis, exchange: TradedExchange, server: Server) -> list[str]:
    """Return every own trade of the exchange that is not written exactly once, and every other one that is."""
    name = StreamName(_TENANT, exchange.id, "watchMyTrades", Symbol(SYMBOL))
    snapshots, deltas = await _messages(client, name)
    written = Counter(_place(trade) for delta in deltas for trade in delta["data"]["trades"])
    # Of what Redis lost, a snapshot after it has what was written before.
    kept = {_place(trade) for snapshot in snapshots for trade in snapshot["data"]["trades"]}
    made = {(str(each.trade_id), exchange.order_id(each)) for each in exchange.own_trades(server)}
    known = written.keys() | kept
    return [
        *(f"own trade {place}: missing" for place in sorted(made - known)),
        *(f"own trade {place}: the exchange has no such trade" for place in sorted(known - made)),
        *(f"own trade {place}: written {times} times" for place, times in sorted(written.items()) if times > 1),
    ]


async def wrong_balances(client: Redis, exchange: TradedExchange, server: Server) -> list[str]:
    """Return every balance that differs from the exchange's."""
    snapshots, deltas = await _messages(client, StreamName(_TENANT, exchange.id, "watchBalance"))
    known: dict[str, Any] = {}
    for snapshot in snapshots[-1:]:
        as_of = MessageId.parse(snapshot["data"].pop("asOf"))
        known |= snapshot["data"]
        for delta in deltas:
            known |= delta["data"] if MessageId.parse(delta["id"]) > as_of else {}
    found = []
    for held in exchange.balances(server):
        shown = {name: Decimal(str(value)) for name, value in known.get(held.asset, _NOTHING).items()}
        wanted = {"free": held.free, "used": held.locked, "total": held.free + held.locked}
        if shown != wanted:
            found.append(f"balance of {held.asset}: {_text(shown)}, and it is {_text(wanted)}")
    return found


_NOTHING = {"free": 0, "used": 0, "total": 0}


def _text(held: dict[str, Decimal]) -> str:
    return ", ".join(f"{name} {value:f}" for name, value in held.items())


def _place(trade: dict[str, Any]) -> tuple[str, str]:
    return trade["id"], trade["order"]


async def _messages(client: Redis, name: StreamName) -> tuple[list[_Message], list[_Message]]:
    """Return the snapshots and the deltas of a stream, oldest first."""
    snapshots = [_decode(fields[b"data"]) for _, fields in await client.xrange(name.snapshot)]
    messages = [_decode(fields[b"data"]) for _, fields in await client.xrange(str(name))]
    return snapshots, [each for each in messages if each["type"] == "delta"]
