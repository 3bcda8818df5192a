"""What every `AccountFeed` does."""

import asyncio
from decimal import Decimal

from libs.exchange.tests.contracts.venue import RecordingListener, Venue, described, streaming

from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange


class AccountFeedContract:
    """What happens on the account arrives, and can be asked for."""

    async def test_a_fill_arrives_as_order_as_trade_and_as_balance(self, exchange: Exchange, venue: Venue) -> None:
        """All three streams agree with what was placed."""
        orders, trades, balance = RecordingListener(), RecordingListener(), RecordingListener()
        code = venue.own_symbol.split("/")[0]
        before = (await exchange.account.fetch_balance())[code].total
        payload = CreatePayload(symbol=venue.own_symbol, side="buy", type="market", amount_base=Decimal(3))
        async with (
            streaming(exchange.account.orders(venue.own_symbol, orders)),
            streaming(exchange.account.my_trades(venue.own_symbol, trades)),
            streaming(exchange.account.balance(balance)),
        ):
            # Nothing shows that the subscription stands until something happens on the account.
            await asyncio.sleep(0.2)
            (placed,) = (await exchange.execution.create_order(payload, "own-1")).orders
            await orders.until(lambda: orders.orders and orders.orders[-1].status == "closed")
            await trades.until(lambda: sum(trade.amount for trade in trades.trades) == 3)
            await balance.until(lambda: code in balance.balances)
        assert {order.id for order in orders.orders} == {placed.id}
        assert {trade.order for trade in trades.trades} == {placed.id}
        assert before + 2.9 < balance.balances[code].total <= before + 3

    async def test_own_trades_are_answered_oldest_first(self, exchange: Exchange, venue: Venue) -> None:
        """The newest without a time, else those since it, each with its order."""
        payload = CreatePayload(symbol=venue.own_symbol, side="buy", type="market", amount_base=Decimal(1))
        placed = [(await exchange.execution.create_order(payload, f"asked-{n}")).orders[0].id for n in range(2)]
        newest = await exchange.account.fetch_my_trades(venue.own_symbol)
        since = await exchange.account.fetch_my_trades(venue.own_symbol, newest[-1].timestamp)
        assert list(dict.fromkeys(trade.order for trade in newest))[-2:] == placed
        assert since[-1].id == newest[-1].id

    async def test_orders_that_ended_are_answered(self, exchange: Exchange, venue: Venue) -> None:
        """Filled and canceled ones since a time, oldest first; none that is open."""
        low = CreatePayload(
            symbol=venue.own_symbol, side="buy", type="limit", amount_base=Decimal(1), price=venue.low_price
        )
        market = CreatePayload(symbol=venue.own_symbol, side="buy", type="market", amount_base=Decimal(1))
        placed = [
            await described(exchange, venue, await exchange.execution.create_order(payload, f"ended-{n}"))
            for n, payload in enumerate((low, market, low))
        ]
        await exchange.execution.cancel_order(CancelPayload(symbol=venue.own_symbol, order_id=placed[0].id))
        ended = await exchange.account.fetch_closed_orders(venue.own_symbol, placed[0].timestamp or 0)
        assert [(order.id, order.status) for order in ended][-2:] == [
            (placed[0].id, "canceled"),
            (placed[1].id, "closed"),
        ]
        await exchange.execution.cancel_order(CancelPayload(symbol=venue.own_symbol, order_id=placed[2].id))

    async def test_balances_that_are_zero_are_left_out(self, exchange: Exchange, venue: Venue) -> None:
        """Every currency in the answer holds something."""
        balances = await exchange.account.fetch_balance()
        assert balances
        assert all(balance.total for balance in balances.values())
