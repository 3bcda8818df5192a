"""A simulator with a journal goes on in KuCoin's dialect too."""

import json
from pathlib import Path

from aiohttp import ClientSession
from msgspec.structs import replace

from millrace_simulator.config import default_config
from millrace_simulator.server import serve

from .conftest import Client


async def test_orders_keep_their_ids_and_fees(tmp_path: Path) -> None:
    """An order is found by the id that it had before the end, with what it paid."""
    config = replace(default_config("kucoin"), symbols=default_config("kucoin").symbols[3:4])
    order = {"symbol": "KCS-USDT", "side": "buy", "type": "market", "size": "3", "clientOid": "mine", "tags": "a-tag"}
    targets = ("hf/orders/client-order/mine?symbol=KCS-USDT", "hf/fills?symbol=KCS-USDT", "accounts")
    runs = []
    for number in range(2):
        async with (
            await serve(config, drive_market=False, journal=tmp_path / "journal") as server,
            ClientSession() as session,
        ):
            client = Client(session, server, "demo-key")
            if number == 0:
                await client.signed("POST", "/api/v1/hf/orders", json.dumps(order))
            runs.append([(await client.signed("GET", f"/api/v1/{target}"))[2]["data"] for target in targets])
    assert runs[0] == runs[1]
    found = runs[0][0]
    assert (found["dealSize"], found["tags"], float(found["fee"]) > 0) == ("3", "a-tag", True)
