"""Many unknown requests ask an exchange as often as one does."""

import asyncio
from decimal import Decimal
from typing import Any

from millrace_core.market import Trade
from millrace_core.orders import Order
from millrace_core.requests import CreatePayload
from millrace_executor.resolution.shared_questions import SharedQuestions

KCS = "KCS/USDT"
BUY = CreatePayload(symbol=KCS, side="buy", type="market", amount_base=Decimal(1))


class CountingQueries:
    """Counts the questions; each is answered once `answer` is set."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer = asyncio.Event()
        self.trades: list[Trade] = []

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return one order, numbered by the question."""
        self.asked.append(symbol)
        number = str(len(self.asked))
        await self.answer.wait()
        return [Order(id=number)]

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return them all."""
        self.asked.append(since_ms)
        return self.trades

    async def fetch_order(self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None) -> Any:
        """Return an order; 7 does not exist."""
        self.asked.append(order_id)
        return None if order_id == "7" else Order(id=order_id or "", client_order_id=f"ours {order_id}")


def sharing() -> tuple[Any, SharedQuestions]:
    queries: Any = CountingQueries()
    return queries, SharedQuestions(queries)


async def test_those_who_ask_together_share_an_answer() -> None:
    """A hundred ask once; who asks while the question is under way gets the answer to the next one."""
    queries, shared = sharing()
    first = [asyncio.create_task(shared.open_orders(KCS)) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert queries.asked == [KCS]
    later = [asyncio.create_task(shared.open_orders(KCS)) for _ in range(100)]
    await asyncio.sleep(0)
    queries.answer.set()
    answers = [(await each)[0].id for each in (*first, *later)]
    assert (answers[0], set(answers[:100]), set(answers[100:])) == ("1", {"1"}, {"2"})


async def test_trades_and_their_orders_are_asked_for_once() -> None:
    """Since the earliest time that one of them needs. Ours is asked for again: it may have changed."""
    queries, shared = sharing()
    queries.trades = [Trade("1", 1, KCS, "buy", 1.0, 1.0, order=number) for number in ("1", "2", "7")]
    found = await asyncio.gather(*(shared.orders_of_own_trades(BUY, "ours 2", since_ms) for since_ms in (5, 3, 9)))
    assert [[order.id for order in each] for each in found] == [["1", "2"]] * 3
    assert queries.asked == [3, "1", "2", "2", "2", "2"]
    assert len(await shared.orders_of_own_trades(BUY, "none", 1)) == 2
    assert len(await shared.orders_of_own_trades(BUY, "none", 1)) == 2
    assert queries.asked[6:] == [1, "7", 1, "7"]


async def test_an_asker_that_gives_up_takes_no_answer_from_the_others() -> None:
    """Its cancellation ends its own wait."""
    queries, shared = sharing()
    gives_up, waits = (asyncio.create_task(shared.open_orders(KCS)) for _ in range(2))
    await asyncio.sleep(0)
    gives_up.cancel()
    queries.answer.set()
    assert (await waits)[0].id == "1"
