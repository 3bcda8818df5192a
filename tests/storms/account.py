"""The account's own trading at the exchange, and whether the platform holds the same of it."""

import asyncio
import contextlib
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any, NoReturn

from tests.storms.dialects import Dialect

from millrace_bus import Bus, Follower, Update
from millrace_core.clock import now_ms
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, Rejected, Retryable, open_exchange

RIGHT_AGAIN_S = 10.0
_EVERY_S = 0.25
_MOST_OPEN = 8


class Trader:
    """Places orders directly at the exchange and cancels them, as another program with the same keys would."""

    def __init__(self, account: Exchange, symbol: Symbol, seed: int) -> None:
        self.placed: set[str] = set()
        """The ids of all orders since the last check."""
        self.is_calm = False
        self._account, self._symbol = account, symbol
        self._random = Random(seed)
        self._open: list[str] = []
        self._number = 0
        self._seed = seed

    async def run(self) -> NoReturn:
        """Trade until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _EVERY_S))
            if not self.is_calm:
                # An order may have filled before its cancel; the price may have moved out of what is allowed.
                with contextlib.suppress(Rejected, Retryable):
                    await self._act()

    async def _act(self) -> None:
        if len(self._open) >= _MOST_OPEN or (self._open and self._random.random() < 0.3):
            payload = CancelPayload(symbol=self._symbol, order_id=self._open.pop(0))
            await self._account.execution.cancel_order(payload)
        else:
            await self._place(await self._price())

    async def _place(self, price: Decimal) -> None:
        self._number += 1
        is_market = self._random.random() < 0.3
        payload = CreatePayload(
            symbol=self._symbol,
            side=self._random.choice(["buy", "sell"]),
            type="market" if is_market else "limit",
            amount_base=Decimal(self._random.randint(2, 9)),
            price=None if is_market else price,
        )
        answer = await self._account.execution.create_order(payload, f"storm-{self._seed}-{self._number}")
        self.placed.update(order.id for order in answer.orders)
        if not is_market:
            self._open += [order.id for order in answer.orders]

    async def _price(self) -> Decimal:
        bids, _ = await self._account.market.fetch_order_book(self._symbol, 20)
        return Decimal(str(bids[self._random.randrange(min(len(bids), 15))][0]))


class AccountWitness:
    """Compares what the platform holds of an account with the exchange's answers."""

    def __init__(self, bus: Bus, account: Exchange, exchange: ExchangeId, tenant: Tenant, symbol: Symbol) -> None:
        self._bus, self._account = bus, account
        self._exchange, self._tenant, self._symbol = exchange, tenant, symbol
        self._trades: list[Trade] = []
        self._since_ms = now_ms()
        self._balance = self._follow("watchBalance", None, lambda _update: None)
        self._own_trades = self._follow("watchMyTrades", symbol, self._take_trades)
        self.followers: list[Follower] = [self._balance, self._own_trades]

    async def differences(self, placed: set[str]) -> list[str]:
        """Return what differs from the exchange's: of its open orders, else of those that were placed, and so on."""
        return (
            await self._open_differences()
            or await self._order_differences(placed)
            or await self._trade_differences()
            or await self._balance_differences()
        )

    def checked(self) -> None:
        """Compare trades from now on only."""
        self._since_ms = now_ms()
        self._trades = [trade for trade in self._trades if (trade.timestamp or 0) >= self._since_ms]

    async def _open_differences(self) -> list[str]:
        theirs = {order.id for order in await self._account.account.fetch_open_orders(self._symbol)}
        ours = await self._bus.orders.open_ids(self._tenant, self._exchange, self._symbol)
        return [] if ours == theirs else [f"open orders: {sorted(ours)} instead of {sorted(theirs)}"]

    async def _order_differences(self, placed: set[str]) -> list[str]:
        fetched = await asyncio.gather(
            *(self._account.account.fetch_order(self._symbol, order_id=order_id) for order_id in sorted(placed))
        )
        differences = []
        for theirs in fetched:
            assert theirs is not None
            ours = await self._bus.orders.get(self._tenant, theirs.id, exchange=self._exchange, symbol=self._symbol)
            if ours is None or (ours.order.status, ours.order.filled) != (theirs.status, theirs.filled):
                shown = ours and (ours.order.status, ours.order.filled)
                differences.append(f"order {theirs.id}: {shown} instead of {(theirs.status, theirs.filled)}")
        return differences

    async def _trade_differences(self) -> list[str]:
        theirs = [
            (trade.id, trade.order)
            for trade in await self._account.account.fetch_my_trades(self._symbol, self._since_ms)
            if (trade.timestamp or 0) >= self._since_ms
        ]
        ours = [(trade.id, trade.order) for trade in self._trades if (trade.timestamp or 0) >= self._since_ms]
        # Not their order: one that the stream lost is found after later ones.
        if Counter(ours) == Counter(theirs):
            return []
        missing, more = [*(Counter(theirs) - Counter(ours)).elements()], [*(Counter(ours) - Counter(theirs)).elements()]
        return [f"own trades: {len(ours)} instead of {len(theirs)}, missing {missing}, too many {more}"]

    async def _balance_differences(self) -> list[str]:
        theirs = await self._account.account.fetch_balance()
        state: Any = self._balance.state
        ours = {code: held for code, held in state.balances.items() if held.total}
        return [
            f"balance of {code}: {ours.get(code)} instead of {theirs.get(code)}"
            for code in sorted(ours.keys() | theirs.keys())
            if ours.get(code) != theirs.get(code)
        ]

    def _follow(self, action: str, symbol: Symbol | None, listener: Any) -> Follower:
        return self._bus.follow(StreamName(self._tenant, self._exchange, Action(action), symbol), listener)

    def _take_trades(self, update: Update) -> None:
        if update.kind == "delta":
            self._trades += update.data.trades


async def open_account(dialect: Dialect, url: str) -> Exchange:
    """Return the account at the exchange itself, past the line."""
    credentials = Credentials.model_validate({**dialect.credentials, "urls": {"base": url}})
    account = await open_exchange(dialect.name, credentials)
    await account.prepare()
    return account
