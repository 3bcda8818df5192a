"""What a market cannot do with an order, as far as ccxt and its profile know: refused before anything is sent."""

from typing import Any, Final

from millrace_core.requests import CreatePayload
from millrace_exchange.errors import Rejected
from millrace_exchange.profile import ExchangeProfile

_TAKING: Final = frozenset({"IOC", "FOK"})


def check_flags(ccxt: Any, profile: ExchangeProfile, payload: CreatePayload) -> None:
    """Refuse an order with a flag that the market ignores or does not have, or whose size it takes for another.

    Raises:
        Rejected: the market has no such flag, or no order of such a size.
    """
    is_spot = ccxt.markets[payload.symbol].get("spot")
    if payload.reduce_only and is_spot:
        _refuse(profile, "reduceOnly: a spot market has no position to reduce")
    if payload.reduce_only and not profile.reduce_only_orders:
        _refuse(
            profile, "reduceOnly: ccxt would close the whole position at the market here, whatever the order's terms"
        )
    if payload.type == "market" and payload.time_in_force == "FOK":
        _refuse(profile, "timeInForce: a market order is filled as far as it can be; place a limit order (FOK)")
    if payload.post_only and payload.time_in_force in _TAKING:
        _refuse(profile, f"postOnly: an order that only makes is no {payload.time_in_force} order")
    if payload.amount_quote is not None and not is_spot and not profile.quote_amounts_of_contracts:
        _refuse(profile, "amountQuote: contracts are sized by amountBase here")
    if not is_spot and not profile.client_order_ids.of_contracts:
        _refuse(profile, "symbol: orders in contracts cannot carry our id here, so that a lost one could not be found")
    is_market_buy = is_spot and payload.type == "market" and payload.side == "buy"
    buys_by_cost = profile.spot_buys_by_cost or ccxt.options.get("createMarketBuyOrderRequiresPrice")
    if is_market_buy and payload.amount_base is not None and buys_by_cost:
        _refuse(
            profile, "amountBase: a market buy is sized by its cost here (amountQuote); or place a limit order (IOC)"
        )
    if payload.time_in_force is not None or payload.only_makes:
        _check_features(ccxt, profile, payload)


def _check_features(ccxt: Any, profile: ExchangeProfile, payload: CreatePayload) -> None:
    """Refuse a time in force that the market does not have, as far as ccxt knows."""
    kinds = ccxt.feature_value(payload.symbol, "createOrder", "timeInForce")
    if not isinstance(kinds, dict):
        return
    if payload.time_in_force not in (None, "PO") and kinds.get(payload.time_in_force) is False:
        _refuse(profile, f"timeInForce: {payload.symbol} has no {payload.time_in_force}")
    if payload.only_makes and kinds.get("PO") is False:
        _refuse(profile, f"postOnly: {payload.symbol} has no orders that only make")


def _refuse(profile: ExchangeProfile, reason: str) -> None:
    text = f"{profile.exchange}: $.payload.{reason}"
    raise Rejected(text, exchange=profile.exchange, action="createOrder", kind="NotSupported")
