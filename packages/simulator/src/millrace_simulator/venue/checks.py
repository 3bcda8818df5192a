"""Checks of an order against the symbol's rules and the account's balance."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_matching import OrderType, SelfTradePrevention, Side
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.errors import InvalidRequest, NoLiquidity, Rule, RuleBroken
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.orders import OrderRequest
from millrace_simulator.venue.rules import CommissionAsset

ZERO = Decimal(0)
_STOP_HOLD = Decimal("1.05")
"""A stop order that buys at the market trades beyond its stop price: so much of it is held for that."""


class Ticket(Struct, frozen=True, kw_only=True):
    """A request in ticks and lots, with the amount that the account must hold for it."""

    lots: int
    price: int | None
    trigger: int | None
    budget: int | None
    asset: str
    hold: Decimal
    """Of `asset`: without this the order is refused."""
    hold_up_to: Decimal
    """The amount to lock when it is free; the budget then follows from it."""


def ticket(request: OrderRequest, instrument: Instrument, account: Account) -> Ticket:
    """Check a request of an account against everything but the account's balance.

    Raises:
        InvalidRequest: its fields contradict each other.
        RuleBroken: a rule of the symbol is broken.
        NoLiquidity: a market order finds less than one lot.
    """
    _check_fields(request)
    price = _price(request.price, instrument)
    trigger = _price(request.stop_price, instrument)
    if request.price is not None:
        _check_percent(request.price, instrument)
    if request.type is OrderType.MARKET:
        return _market_ticket(request, instrument, account)
    quantity = request.quantity or ZERO
    lots = _lots(quantity, instrument, at_market=not request.type.has_price)
    reference = request.price if request.price is not None else request.stop_price or ZERO
    _check_notional(reference * quantity, instrument, at_market=not request.type.has_price)
    if request.side is Side.SELL:
        hold = most = quantity
    else:
        hold = reference * quantity * (1 + hold_rate(account, instrument))
        most = hold if request.type.has_price else hold * _STOP_HOLD
    asset = _asset(request.side, instrument)
    return Ticket(lots=lots, price=price, trigger=trigger, budget=None, asset=asset, hold=hold, hold_up_to=most)


def _market_ticket(request: OrderRequest, instrument: Instrument, account: Account) -> Ticket:
    """Size a market order by the book, so that the amount it spends is known before it trades."""
    scale = instrument.scale
    if request.quantity is not None:
        lots = _lots(request.quantity, instrument, at_market=True)
        _check_notional(instrument.statistics.average_price().price * request.quantity, instrument, at_market=True)
        _, product = _found(request, instrument, account.account_id)
    else:
        _check_notional(request.quote_quantity or ZERO, instrument, at_market=True)
        lots, product = _found(request, instrument, account.account_id)
    if request.side is Side.SELL:
        hold = scale.quantity(lots)
    else:
        hold = scale.quote(product) * (1 + hold_rate(account, instrument))
    return Ticket(
        lots=lots,
        price=None,
        trigger=None,
        budget=product if request.side is Side.BUY else None,
        asset=_asset(request.side, instrument),
        hold=hold,
        hold_up_to=hold,
    )


def check_quantity(quantity: Decimal, price: Decimal, instrument: Instrument) -> None:
    """Check the new quantity of an order that stands; a price of 0 is not known yet.

    Raises:
        RuleBroken: a rule of the symbol is broken.
    """
    _lots(quantity, instrument, at_market=False)
    if price:
        _check_notional(price * quantity, instrument, at_market=False)


def hold_rate(account: Account, instrument: Instrument) -> Decimal:
    """Return what an order to buy holds for its commission, as a share of its amount."""
    if instrument.rules.commission_asset is CommissionAsset.RECEIVED:
        return ZERO
    return max(account.maker_rate, account.taker_rate, ZERO)


def _found(request: OrderRequest, instrument: Instrument, owner: int) -> tuple[int, int]:
    """Return what a market order finds: (lots, ticks × lots).

    What the account itself offers is counted only where nobody else offers anything: a taker whose mode expires its
    makers goes on to the next price, and by the price of its own order it could not pay for that.
    """
    engine, scale = instrument.engine, instrument.scale
    mode = request.self_trade_prevention or instrument.rules.default_self_trade_mode
    for skipped in (owner, 0) if mode is SelfTradePrevention.EXPIRE_MAKER else (0,):
        if request.quantity is not None:
            lots, product = engine.cost(request.side, scale.lots(request.quantity) or 0, skipped_owner=skipped)
        else:
            budget = scale.budget(request.quote_quantity or ZERO)
            lots, product = engine.within(request.side, budget, skipped_owner=skipped)
        if lots:
            return lots, product
    raise NoLiquidity


def _check_fields(request: OrderRequest) -> None:
    if (request.price is not None) != request.type.has_price:
        raise InvalidRequest("price", "limit orders carry a price, and they alone")
    if (request.stop_price is not None) != request.type.waits_for_trigger:
        raise InvalidRequest("stopPrice", "stop and take-profit orders carry a stop price, and they alone")
    if request.type is OrderType.MARKET:
        if (request.quantity is None) == (request.quote_quantity is None):
            raise InvalidRequest("quantity", "a market order has either a quantity or a quote quantity")
    elif request.quantity is None or request.quote_quantity is not None:
        raise InvalidRequest("quantity", "the order is sized by its quantity")


def _price(price: Decimal | None, instrument: Instrument) -> int | None:
    if price is None:
        return None
    ticks = instrument.scale.ticks(price)
    if ticks is None or ticks <= 0 or price > instrument.rules.max_price:
        raise RuleBroken(Rule.PRICE)
    return ticks


def _check_percent(price: Decimal, instrument: Instrument) -> None:
    rules, average = instrument.rules, instrument.statistics.average_price().price
    if not average * rules.percent_price_down <= price <= average * rules.percent_price_up:
        raise RuleBroken(Rule.PRICE_RANGE)


def _lots(quantity: Decimal, instrument: Instrument, *, at_market: bool) -> int:
    lots = instrument.scale.lots(quantity)
    if lots is None or lots <= 0 or quantity > instrument.rules.max_quantity:
        raise RuleBroken(Rule.QUANTITY)
    if at_market and quantity > instrument.rules.max_market_quantity:
        raise RuleBroken(Rule.MARKET_QUANTITY)
    return lots


def _check_notional(notional: Decimal, instrument: Instrument, *, at_market: bool) -> None:
    rules = instrument.rules
    if notional < rules.min_notional or (notional > rules.max_notional and not at_market):
        raise RuleBroken(Rule.NOTIONAL)


def _asset(side: Side, instrument: Instrument) -> str:
    return instrument.rules.base if side is Side.SELL else instrument.rules.quote
