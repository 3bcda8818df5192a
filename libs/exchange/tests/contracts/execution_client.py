"""What every `ExecutionClient` does."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from libs.exchange.tests.contracts.venue import Venue, described

from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Exchange, OutcomeUnknown, Rejected, Retryable


def bid(venue: Venue) -> CreatePayload:
    """Return an order that rests."""
    return CreatePayload(
        symbol=venue.own_symbol, side="buy", type="limit", amount_base=Decimal(1), price=venue.low_price
    )


class ExecutionClientContract:
    """Orders are placed, changed and canceled once, under our own ids."""

    async def test_an_order_lives_under_our_own_id(self, exchange: Exchange, venue: Venue) -> None:
        """It is found by our id and canceled by it; the stamps enclose the round trip."""
        placed = await exchange.execution.create_order(bid(venue), "one")
        found = await exchange.execution.fetch_order(venue.own_symbol, client_order_id="one")
        canceled = await exchange.execution.cancel_order(CancelPayload(symbol=venue.own_symbol, client_order_id="one"))
        assert placed.sent_ns < placed.acknowledged_ns
        assert found is not None
        assert found.status == "open"
        assert found.id == placed.orders[0].id == canceled.orders[0].id
        assert (await described(exchange, venue, canceled)).status == "canceled"

    async def test_a_market_order_buys_the_amount_whatever_price_was_expected(
        self, exchange: Exchange, venue: Venue
    ) -> None:
        """The expected price of a market order changes nothing of its amount."""
        payload = CreatePayload(
            symbol=venue.own_symbol, side="buy", type="market", amount_base=Decimal(1), price=Decimal(25)
        )
        assert (await described(exchange, venue, await exchange.execution.create_order(payload, "market"))).filled == 1

    @pytest.mark.parametrize("terms", [{"post_only": True}, {"time_in_force": "PO"}])
    async def test_an_order_that_only_makes_is_one_however_that_is_spelled(
        self, exchange: Exchange, venue: Venue, terms: dict[str, Any]
    ) -> None:
        """It rests, and takes nothing where it would have to."""
        order = msgspec.structs.replace(bid(venue), **terms)
        placed = await described(exchange, venue, await exchange.execution.create_order(order, "rests"))
        assert (placed.status, placed.post_only) == ("open", True)
        ask = Decimal(str((await venue.book(venue.own_symbol)).asks[0][0]))
        with suppress(Rejected):
            taking = msgspec.structs.replace(order, price=ask)
            placed = await described(exchange, venue, await exchange.execution.create_order(taking, "takes"))
        assert placed.filled == 0

    async def test_a_market_order_is_no_fill_or_kill_order(self, exchange: Exchange, venue: Venue) -> None:
        """It is refused: where it is taken, it is filled in part if there is no more."""
        order = CreatePayload(
            symbol=venue.own_symbol, side="buy", type="market", amount_base=Decimal(1), time_in_force="FOK"
        )
        with pytest.raises(Rejected):
            await exchange.execution.create_order(order, "whole")
        assert await exchange.execution.fetch_order(venue.own_symbol, client_order_id="whole") is None

    async def test_an_edit_keeps_what_it_does_not_name(self, exchange: Exchange, venue: Venue) -> None:
        """A new price leaves amount and side; an order that replaces the former carries the id given."""
        placed = await exchange.execution.create_order(bid(venue), "before")
        price = venue.low_price + venue.tick
        payload = EditPayload(symbol=venue.own_symbol, order_id=placed.orders[0].id, price=price)
        edited = await described(exchange, venue, await exchange.execution.edit_order(payload, "after"))
        assert (edited.price, edited.amount, edited.side) == (price, 1, "buy")
        assert edited.client_order_id == ("after" if exchange.profile.edit_client_order_id == "new" else "before")
        assert [order.id for order in await exchange.execution.fetch_open_orders()] == [edited.id]

    async def test_an_edit_of_a_partly_filled_order_buys_no_more_in_all(self, exchange: Exchange, venue: Venue) -> None:
        """What was filled counts: an order that replaces another has the rest of the amount alone."""
        price, offered = (Decimal(str(number)) for number in (await venue.book(venue.own_symbol)).asks[0])
        total = offered + 5
        order = msgspec.structs.replace(bid(venue), amount_base=total, price=price)
        partly = await described(exchange, venue, await exchange.execution.create_order(order, "partly"))
        assert partly.filled == offered
        edit = EditPayload(symbol=venue.own_symbol, order_id=partly.id, price=venue.low_price)
        edited = await described(exchange, venue, await exchange.execution.edit_order(edit, "rest"))
        assert edited.remaining == 5

    async def test_all_orders_are_canceled(self, exchange: Exchange, venue: Venue) -> None:
        """Of every symbol if none is named; nothing open is no error."""
        for number in range(3):
            await exchange.execution.create_order(bid(venue), f"all-{number}")
        canceled = await exchange.execution.cancel_all_orders(CancelAllPayload())
        # Some exchanges do not say which.
        assert [order.status for order in canceled.orders] in (["canceled"] * 3, [])
        assert await exchange.execution.fetch_open_orders(venue.own_symbol) == []
        assert (await exchange.execution.cancel_all_orders(CancelAllPayload(symbol=venue.own_symbol))).orders == ()

    async def test_an_unknown_order_is_not_found_when_asked_and_rejected_when_canceled(
        self, exchange: Exchange, venue: Venue
    ) -> None:
        """A query is answered; canceling an order that does not exist is rejected."""
        assert await exchange.execution.fetch_order(venue.own_symbol, client_order_id="nonesuch") is None
        with pytest.raises(Rejected) as rejected:
            await exchange.execution.cancel_order(CancelPayload(symbol=venue.own_symbol, order_id="999999"))
        assert rejected.value.kind == "OrderNotFound"

    @pytest.mark.parametrize(
        ("symbol", "amount", "kind"), [("X/Y", 1, "BadSymbol"), (None, 500_000, "InsufficientFunds")]
    )
    async def test_what_the_exchange_refuses_is_rejected(
        self, exchange: Exchange, venue: Venue, symbol: str | None, amount: int, kind: str
    ) -> None:
        """A definite no has the unified name of its reason."""
        payload = CreatePayload(
            symbol=symbol or venue.own_symbol,
            side="sell",
            type="limit",
            amount_base=Decimal(amount),
            price=3 * venue.low_price,
        )
        with pytest.raises(Rejected) as rejected:
            await exchange.execution.create_order(payload, "refused")
        assert rejected.value.kind == kind

    async def test_nothing_was_sent_to_an_exchange_that_cannot_be_reached(
        self, exchange: Exchange, venue: Venue
    ) -> None:
        """With the exchange gone nothing is let out, so the order may be tried again.

        A connection that was open may have let the first one out.
        """
        await venue.close()
        with pytest.raises((Retryable, OutcomeUnknown)):
            await exchange.execution.create_order(bid(venue), "going")
        with pytest.raises(Retryable):
            await exchange.execution.create_order(bid(venue), "gone")
