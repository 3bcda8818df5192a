"""Reads an exchange's capabilities from ccxt's own tables, without a connection."""

from typing import Any, Final

from millrace_core.names import ExchangeId
from millrace_core.near_names import did_you_mean
from millrace_exchange.capabilities import DATA_POINTS, ExchangeCapabilities, Source
from millrace_exchange.ccxt.loading import exchange_ids, load_exchange
from millrace_exchange.ccxt.polling import profile_as_asked
from millrace_exchange.errors import UnknownExchange
from millrace_exchange.profiles import profile_of, profiles

_ACTIONS: Final = ("createOrder", "cancelOrder", "cancelAllOrders", "editOrder", "createOrders", "cancelOrders")
_FETCHED_AS: Final = {"Orders": ("fetchOrders", "fetchOpenOrders")}
"""Data points whose question has another name than their stream, or several."""


def capabilities_of(exchange_id: str) -> ExchangeCapabilities:
    """Return what an exchange supports; its module of ccxt is imported for that.

    Raises:
        UnknownExchange: ccxt has none of that id.
    """
    if exchange_id not in exchange_ids():
        raise UnknownExchange(exchange_id, did_you_mean(exchange_id, exchange_ids()))
    ccxt = load_exchange(exchange_id)({})
    return ExchangeCapabilities(
        exchange=exchange_id,
        name=ccxt.name,
        has_streams=any(name.startswith("watch") and has for name, has in ccxt.has.items()),
        data_points={point: _source(ccxt.has, point) for point in DATA_POINTS},
        actions=tuple(action for action in _ACTIONS if ccxt.has.get(action)),
        order_features=tuple(_order_features(ccxt.features)),
        timeframes=tuple(ccxt.timeframes or ()),
        profile=profile_as_asked(ccxt, profile_of(ExchangeId(exchange_id))),
        has_profile=exchange_id in profiles(),
    )


def _source(has: dict[str, Any], point: str) -> Source | None:
    if has.get(f"watch{point}"):
        return "watch"
    fetches = _FETCHED_AS.get(point, (f"fetch{point}",))
    return "fetch" if any(has.get(name) for name in fetches) else None


def _order_features(features: dict[str, Any] | None) -> list[str]:
    create = ((features or {}).get("spot") or {}).get("createOrder") or {}
    found = [name for name, has in create.items() if has and not isinstance(has, dict)]
    in_force = create.get("timeInForce") or {}
    return sorted([*found, *(f"timeInForce.{name}" for name, has in in_force.items() if has)])
