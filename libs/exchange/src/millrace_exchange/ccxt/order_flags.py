"""What a market cannot do with an order, as far as ccxt knows its features: refused before anything is sent."""

from typing import Any

from millrace_core.requests import CreatePayload
from millrace_exchange.errors import Rejected
from millrace_exchange.profile import ExchangeProfile


def check_flags(ccxt: Any, profile: ExchangeProfile, payload: CreatePayload) -> None:
    """Refuse an order with a flag that the market would ignore or does not have.

    Raises:
        Rejected: the market has no such flag.
    """
    if payload.reduce_only and ccxt.markets[payload.symbol].get("spot"):
        _refuse(profile, "reduceOnly: a spot market has no position to reduce")
    kinds = ccxt.feature_value(payload.symbol, "createOrder", "timeInForce")
    if not isinstance(kinds, dict):
        return
    if payload.time_in_force is not None and kinds.get(payload.time_in_force) is False:
        _refuse(profile, f"timeInForce: {payload.symbol} has no {payload.time_in_force}")
    if payload.post_only and kinds.get("PO") is False:
        _refuse(profile, f"postOnly: {payload.symbol} has no orders that only make")


def _refuse(profile: ExchangeProfile, reason: str) -> None:
    text = f"{profile.exchange}: $.payload.{reason}"
    raise Rejected(text, exchange=profile.exchange, action="createOrder", kind="NotSupported")
