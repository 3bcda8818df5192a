"""What differs between the exchanges that campaigns of faults trade on: everything else of them is one code."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from millrace_core.names import ExchangeId
from millrace_exchange import profile_of
from millrace_simulator.config import DEMO_ACCOUNT, Limits, SimulatorConfig
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.listings import SYMBOLS, DialectName
from millrace_simulator.server import Server

SYMBOL: Final = "KCS/USDT"
"""What is traded, under the platform's name."""


@dataclass(frozen=True)
class TradedExchange:
    """A dialect of the simulator as the platform trades on it, and as its ledger is read."""

    id: ExchangeId
    dialect: DialectName
    market: str
    """The exchange's own name of the symbol."""
    keys: Mapping[str, str]
    statuses: Mapping[str, str]
    """What the platform calls the ledger's statuses."""
    order_id: Callable[[Any], str]
    """The id of an order of the ledger, as clients see it."""
    high_frequency: bool = True
    """KuCoin: whether the account is of the new kind; one of the old kind finds by our id what is open alone."""

    @property
    def settled_s(self) -> float:
        """How long after the last fault every request must be answered: the window, and what else may be under way."""
        return profile_of(self.id).settlement_window_ms / 1000 + 45.0

    def config(self, seed: int, *, events_per_second: float = 200, limits: Limits | None = None) -> SimulatorConfig:
        """Return the settings of a simulator that lists nothing but what is traded."""
        listed = tuple(rules for rules in SYMBOLS[self.dialect] if rules.symbol == self.market)
        return SimulatorConfig(
            dialect=self.dialect,
            seed=seed,
            symbols=listed,
            events_per_second=events_per_second,
            limits=limits or Limits(),
            accounts=(replace(DEMO_ACCOUNT, high_frequency=self.high_frequency),),
        )

    def account(self, address: str) -> dict[str, Any]:
        """Return the platform's configuration of the demo account."""
        return {**self.keys, "urls": {"base": address}}

    def orders(self, server: Server, limit: int = 500) -> list[Any]:
        """Return the account's orders, oldest first."""
        account = server.venue.account_by_key(self.keys["apiKey"])
        return list(server.venue.all_orders(account, self.market, limit=limit))

    def own_trades(self, server: Server, limit: int = 10_000) -> list[Any]:
        """Return the account's own trades, oldest first."""
        account = server.venue.account_by_key(self.keys["apiKey"])
        return list(server.venue.own_trades(account, self.market, limit=limit))

    def balances(self, server: Server) -> list[Any]:
        """Return the account's balances."""
        return list(server.venue.account_by_key(self.keys["apiKey"]).balances)

    def replaced(self, server: Server) -> dict[int, int]:
        """Return by order the one whose place, and whose id of ours, it took when that was altered."""
        if self.dialect == "binance":
            return {}
        return {made: former for (_, made), former in server.exchange.altered.items()}


_KEYS: Final = {"apiKey": "demo-key", "secret": "demo-secret"}
_STATUSES: Final = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}
_BINANCE: Final = TradedExchange(
    ExchangeId("binance"), "binance", "KCSUSDT", _KEYS, _STATUSES, lambda order: str(order.order_id)
)
_KUCOIN: Final = TradedExchange(
    ExchangeId("kucoin"),
    "kucoin",
    "KCS-USDT",
    {**_KEYS, "password": "demo-passphrase"},
    # KuCoin has no word for what expired: it says that it was canceled.
    {**_STATUSES, "EXPIRED": "canceled", "EXPIRED_IN_MATCH": "canceled"},
    lambda order: order_id_text(order.symbol, order.order_id),
)
EXCHANGES: Final[Mapping[str, TradedExchange]] = {
    "binance": _BINANCE,
    "kucoin": _KUCOIN,
    "kucoin-classic": dataclasses.replace(_KUCOIN, high_frequency=False),
}
