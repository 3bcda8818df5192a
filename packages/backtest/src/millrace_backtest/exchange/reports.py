"""How answers and reports of modelled exchanges reach the strategies: by tenant, each after its latency."""

from collections.abc import Callable
from typing import Protocol

from millrace_backtest.timeline import Timeline
from millrace_core.market import Balances, Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol, Tenant
from millrace_core.orders import OrderRecord


class Listener(Protocol):
    """Who hears from the exchanges: a strategy of one tenant."""

    def answered(self, exchange: ExchangeId, action: Action, symbol: Symbol | None, response: Response) -> None:
        """Take an answer to a request."""

    def order_changed(self, record: OrderRecord) -> None:
        """Take a report about an order."""

    def balances_changed(self, exchange: ExchangeId, balances: Balances, changed: Balances) -> None:
        """Take the balances of an account."""

    def traded(self, exchange: ExchangeId, symbol: Symbol, trade: Trade) -> None:
        """Take an own trade."""


class Reports:
    """Delivers to all listeners of a tenant."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._listeners: dict[Tenant, list[Listener]] = {}
        self._delivered_ns: dict[Tenant, int] = {}

    def listen(self, tenant: Tenant, listener: Listener) -> None:
        """Deliver to a listener too."""
        self._listeners.setdefault(tenant, []).append(listener)

    def answer(self, tenant: Tenant, at_ns: int, call: Callable[[Listener], None]) -> None:
        """Deliver an answer at a time."""

        def deliver() -> None:
            for listener in self._listeners.get(tenant, ()):
                call(listener)

        self._timeline.at(at_ns, deliver)

    def stream(self, tenant: Tenant, at_ns: int, call: Callable[[Listener], None]) -> None:
        """Deliver by the account's streams, which keep their order: at a time, or after what was sent before."""
        at_ns = self._delivered_ns[tenant] = max(at_ns, self._delivered_ns.get(tenant, 0))
        self.answer(tenant, at_ns, call)
