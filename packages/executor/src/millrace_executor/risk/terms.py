"""What an order would put on the exchange, and what that comes to in money."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from millrace_core.market_terms import MarketTerms
from millrace_core.orders import Order
from millrace_core.requests import CreateOrder, CreatePayload, EditOrder, EditPayload

NewTerms = CreateOrder | EditOrder
"""A request that puts terms on the exchange. Cancels are never checked."""


class BookView(Protocol):
    """A trusted order book, as it is now."""

    @property
    def mid(self) -> Decimal:
        """Return the price half-way between best bid and ask."""

    @property
    def best_bid(self) -> Decimal:
        """Return the price of the best bid."""

    @property
    def best_ask(self) -> Decimal:
        """Return the price of the best ask."""

    def reach(self, side: str, size: Decimal, *, in_quote: bool = False) -> "Reach | None":
        """Return what a market order of a size, in quote currency or not, would trade at; None if it is too large."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a market order would go into the book."""

    cost: Decimal
    """In quote currency."""
    worst: Decimal
    """The last price."""


@dataclass(frozen=True, slots=True)
class Terms:
    """An order's terms; those that an edit does not change are the order's."""

    symbol: str
    side: str | None
    is_market: bool
    amount: Decimal | None
    """In base currency, or contracts; of an edit the part that is not filled yet."""
    quote: Decimal | None
    """The money to spend, of a market order that is sized by it."""
    price: Decimal | None
    """The limit."""
    trigger: Decimal | None
    source: str | None
    """The source of the order; of an edit, that of the edited order."""
    is_reducing: bool = False
    """Whether it can only reduce a position."""
    replaces: str | None = None
    """The id, the exchange's or ours, of the order that an edit changes."""
    replaced_left: Decimal | None = field(default=None, compare=False)
    """What was left of that order; None if it is not known."""


class Unmeasurable(Exception):
    """What an order comes to cannot be told; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class EditedOrder:
    """The order that an edit changes."""

    order: Order
    source: str | None
    """Whose it is; None if it is of no known request."""


def terms_of(request: NewTerms, edited: EditedOrder | None) -> Terms:
    """Return the terms of a request. `edited` is the order that an edit changes, if it is known."""
    payload = request.payload
    if isinstance(payload, CreatePayload):
        return _created(payload)
    if edited is None:
        return _edited(payload, Order(id=""), payload.order_source)
    return _edited(payload, edited.order, edited.source)


def _created(payload: CreatePayload) -> Terms:
    is_market = payload.type == "market"
    return Terms(
        symbol=payload.symbol,
        side=payload.side,
        is_market=is_market,
        amount=payload.amount_base,
        quote=payload.amount_quote,
        price=None if is_market else payload.price,
        trigger=payload.trigger_price,
        source=payload.order_source,
        is_reducing=payload.reduce_only,
    )


def _edited(payload: EditPayload, known: Order, source: str | None) -> Terms:
    total = payload.amount_base or known.amount
    filled = known.filled or Decimal(0)
    amount = None if total is None else max(total - filled, Decimal(0))
    return Terms(
        symbol=payload.symbol,
        side=known.side or payload.side,
        is_market=(known.type or payload.type) == "market",
        amount=amount,
        quote=None,
        price=payload.price or known.price,
        trigger=payload.trigger_price or known.trigger_price,
        source=source,
        is_reducing=bool(known.reduce_only),
        replaces=known.id or payload.order_id or payload.client_order_id,
        replaced_left=None if known.amount is None else max(known.amount - filled, Decimal(0)),
    )


def notional(terms: Terms, market: MarketTerms, book: BookView | None) -> Decimal:
    """Return the most that an order is worth in quote currency. What its sender expects to pay does not count.

    Raises:
        Unmeasurable: a price or an amount is missing, or the book that would tell it.
    """
    if terms.quote is not None:
        return terms.quote
    amount = _amount(terms)
    if market.is_inverse:
        return amount * market.contract_size
    return _cost(terms, amount, market, book) * market.contract_size


def base_amount(terms: Terms, market: MarketTerms, book: BookView | None) -> Decimal:
    """Return the most that an order trades, in base currency.

    Raises:
        Unmeasurable: the amount is missing, or the book that would tell it.
    """
    if terms.quote is not None:
        # The worse the price of a sale, the more it sells.
        price = _needed(book).best_ask if terms.side == "buy" else _reach(terms, market, _needed(book)).worst
        return terms.quote / price
    size = _amount(terms) * market.contract_size
    return size / _needed(book).best_bid if market.is_inverse else size


def left_of_replaced(terms: Terms, market: MarketTerms) -> Decimal | None:
    """Return what was left of the order that an edit changes, in base currency; None if that cannot be told."""
    if terms.replaced_left is None or market.is_inverse:
        return None
    return terms.replaced_left * market.contract_size


def reached_price(terms: Terms, market: MarketTerms, book: BookView) -> Decimal:
    """Return the price furthest from the market that an order names, or would reach.

    Raises:
        Unmeasurable: the book holds less than a market order's amount.
    """
    named = [price for price in (terms.price, terms.trigger) if price is not None]
    if terms.price is None and terms.trigger is None:
        named.append(_reach(terms, market, book).worst)
    return max(named, key=lambda price: abs(price - book.mid))


def _cost(terms: Terms, amount: Decimal, market: MarketTerms, book: BookView | None) -> Decimal:
    if terms.side == "buy" and not terms.is_market and terms.price is not None:
        # A stop buy with a limit below its trigger trades at its limit, if at all.
        return amount * terms.price
    if terms.is_market and terms.trigger is None:
        needed = _needed(book)
        return _reach(terms, market, needed).cost if terms.side == "buy" else amount * needed.best_bid
    # A sale trades at the bid if that is better than its price; a stop at its trigger or beyond.
    named = [price for price in (terms.price, terms.trigger) if price is not None]
    needed = _needed(book)
    return amount * max(*named, needed.best_ask if terms.side == "buy" else needed.best_bid)


def _reach(terms: Terms, market: MarketTerms, book: BookView) -> Reach:
    """Return how far a market order would go; one that is sized in quote currency until that is spent or earned."""
    if terms.quote is None:
        reach = book.reach(terms.side or "", _amount(terms))
    else:
        reach = book.reach(terms.side or "", terms.quote / market.contract_size, in_quote=not market.is_inverse)
    if reach is None:
        raise Unmeasurable("the book holds less than the order's amount: make it smaller, or a limit order")
    return reach


def _amount(terms: Terms) -> Decimal:
    if terms.amount is None:
        raise Unmeasurable("the order to edit is not known here: name amountBase and price")
    return terms.amount


def _needed(book: BookView | None) -> BookView:
    if book is None:
        raise Unmeasurable("no trusted book")
    return book
