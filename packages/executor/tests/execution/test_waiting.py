"""What happens while a claimed request waits to be sent."""

import asyncio
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId
from millrace_executor.lease.tenure import Tenure

BUY = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5}


@pytest.mark.parametrize(("ends_by", "status"), [("a halt", "rejected"), ("its validity", "expired")])
async def test_an_order_that_is_not_wanted_any_more_is_not_sent(
    platform: Any, ends_by: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease may be in doubt for as long as Redis is away; what became of the request meanwhile counts."""
    await platform.start()
    answers, halts = await platform.answers(), await platform.answers("halt", None, ExchangeId("all"))
    assure, validity_ms = Tenure.assure, 500

    async def wait(tenure: Tenure) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "AccountExecutor._handle":
            if ends_by == "a halt":
                await platform.publish({"action": "halt"})
                await halts.number(1)
            while ends_by == "its validity" and now_ms() <= requested_at + validity_ms:
                await asyncio.sleep(0.02)
        await assure(tenure)

    monkeypatch.setattr(Tenure, "assure", wait)
    requested_at = now_ms()
    request = {"action": "createOrder", "exchangeId": "binance", "requestedAt": requested_at, "payload": BUY}
    await platform.publish(request | {"validFor": validity_ms if ends_by == "its validity" else 60_000})
    assert (await answers.number(1)).response.status == status
    assert platform.orders() == []
