"""The risk of one account's orders: gathers the facts that the limits in force need, and decides."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from millrace_bus import Bus
from millrace_core.clock import elapsed_ms
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Response
from millrace_core.names import Symbol
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import EditOrder, EditPayload
from millrace_exchange import Exchange
from millrace_executor.accepted_request import AccountKey
from millrace_executor.risk.books import Books, JudgedBook
from millrace_executor.risk.checks import NO_MARKET, Approved, Facts, RiskRejection
from millrace_executor.risk.exposure import AccountExposure, PlacedOrder
from millrace_executor.risk.terms import (
    BookView,
    EditedOrder,
    NewTerms,
    Terms,
    Unmeasurable,
    base_amount,
    left_of_replaced,
    notional,
    terms_of,
)
from millrace_executor.trading_controls import Limits, TradingControls


class AccountRisk:
    """Decides about one account's orders."""

    def __init__(self, account: AccountKey, exchange: Exchange, bus: Bus, controls: TradingControls) -> None:
        self.exposure = AccountExposure(exchange, self._source_of)
        self._account = account
        self._exchange = exchange
        self._bus = bus
        self._controls = controls
        self._books = Books(bus, account.tenant, account.exchange)
        controls.exposures[account.exchange] = self.exposure

    async def decide(self, request: NewTerms, our_id: str) -> Approved | RiskRejection:
        """Decide by the limits in force; an approved order counts as sent from then on.

        Raises:
            ExchangeError: the exchange must be asked, and cannot be.
        """
        exchange, source, edited = self._account.exchange, request.payload.order_source, None
        limits = self._controls.limits_on(exchange, source)
        if not self._needs_terms(request, limits):
            return self._controls.decide(request, exchange, Facts(terms_of(request, None), elapsed_ms()))
        if isinstance(request, EditOrder) and (edited := await self._edited(request.payload)) is not None:
            limits = self._controls.limits_on(exchange, source, edited.source)
        terms = terms_of(request, edited)
        market = self._exchange.rules.terms(terms.symbol) or NO_MARKET
        book = await self._books.book(terms.symbol) if _needs_book(limits, terms) else JudgedBook(None)
        decision = await self._judge(request, Facts(terms, elapsed_ms(), market, *book))
        if isinstance(decision, Approved) and self._controls.counts_exposure:
            self.exposure.approved(our_id, _placed(terms, market, book.book))
        return decision

    def answered(self, our_id: str, answer: Response) -> None:
        """Learn the final answer to a request."""
        self.exposure.answered(our_id, answer)

    def unanswered(self, our_id: str) -> None:
        """Learn that an approved request is over here without a final answer."""
        self.exposure.unanswered(our_id)

    async def close(self) -> None:
        """Stop following books."""
        if self._controls.exposures.get(self._account.exchange) is self.exposure:
            del self._controls.exposures[self._account.exchange]
        await self._books.close()

    async def _judge(self, request: NewTerms, facts: Facts) -> Approved | RiskRejection:
        exposures = list(self._controls.exposures.values()) if self._controls.counts_exposure else []
        old, with_positions = [each for each in exposures if each.needs_confirming], facts.market.is_contract
        await asyncio.gather(*(each.confirm(with_positions=with_positions) for each in old))
        decision = self._controls.decide(request, self._account.exchange, facts)
        if isinstance(decision, RiskRejection) and decision.is_of_account:
            # Orders that ended meanwhile make room.
            await asyncio.gather(*(each.confirm(with_positions=with_positions) for each in exposures))
            decision = self._controls.decide(request, self._account.exchange, facts)
        return decision

    def _needs_terms(self, request: NewTerms, limits: Limits) -> bool:
        """Tell whether it matters what an order comes to, or whose order is edited."""
        needs_source = isinstance(request, EditOrder) and self._controls.limits_sources
        return self._controls.counts_exposure or needs_source or any(each.needs_terms for each in limits.values())

    async def _edited(self, payload: EditPayload) -> EditedOrder | None:
        """Return the order to edit, as Redis knows it or else the exchange."""
        if payload.order_id is not None:
            known = await self._record(payload.symbol, payload.order_id)
            if known is not None and known.order.amount is not None:
                return EditedOrder(known.order, known.order_source)
        order = await self._exchange.execution.fetch_order(
            payload.symbol, order_id=payload.order_id, client_order_id=payload.client_order_id
        )
        return None if order is None else EditedOrder(order, await self._source_of(order))

    async def _source_of(self, order: Order) -> str | None:
        """Return whose order it is, as Redis knows it; None if it is of no known request."""
        known = None if order.symbol is None else await self._record(order.symbol, order.id)
        return None if known is None else known.order_source

    async def _record(self, symbol: str, order_id: str) -> OrderRecord | None:
        account = self._account
        return await self._bus.orders.get(account.tenant, order_id, exchange=account.exchange, symbol=Symbol(symbol))


def _placed(terms: Terms, market: MarketTerms, book: BookView | None) -> PlacedOrder:
    base = _known(lambda: base_amount(terms, market, book))
    quote = _known(lambda: notional(terms, market, book))
    return PlacedOrder(
        terms.symbol,
        terms.side or "buy",
        base,
        quote,
        market,
        terms.source,
        replaces=terms.replaces,
        replaced_left=left_of_replaced(terms, market),
    )


def _known(measure: Callable[[], Decimal]) -> Decimal:
    try:
        return measure()
    except Unmeasurable:
        # No limit depends on it, or the order would not have been approved.
        return Decimal(0)


def _needs_book(limits: Limits, terms: Terms) -> bool:
    """Tell whether a limit needs the trusted book; a limit buy is measured by its own price."""
    has_own_price = terms.side == "buy" and not terms.is_market and terms.price is not None
    return any(each.needs_book or (each.measures_orders and not has_own_price) for each in limits.values())
