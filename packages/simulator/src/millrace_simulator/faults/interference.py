"""What happens at the market while a request is carried out: its order is filled, or the market is closed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from millrace_simulator.market import Market
from millrace_simulator.venue import Order

_WORD: Final = re.compile(r"[\w-]+")


class Interference:
    """Acts on a market between a request and its answer."""

    def __init__(self, market: Market, id_of: Callable[[Order], str]) -> None:
        """`id_of` returns the exchange's id of an order, as clients see it."""
        self._market = market
        self._id_of = id_of

    @contextmanager
    def filling(self, request: str, random: Random) -> Iterator[None]:
        """Fill the open order that a request names, before it is carried out or after that, whole or in part."""
        if is_filled := random.random() < 0.5:
            is_filled = self._fill(request, random)
        yield
        if not is_filled:
            self._fill(request, random)

    @contextmanager
    def halting(self) -> Iterator[None]:
        """Accept no new order."""
        open_ones = [each for each in self._market.venue.instruments.values() if each.trading]
        for instrument in open_ones:
            instrument.trading = False
        try:
            yield
        finally:
            for instrument in open_ones:
                instrument.trading = True

    def _fill(self, request: str, random: Random) -> bool:
        """Tell whether there was an order to fill."""
        venue, words = self._market.venue, set(_WORD.findall(request))
        for account in venue.accounts.values():
            for order in venue.open_orders(account):
                if order.is_working and (order.client_order_id in words or self._id_of(order) in words):
                    self._market.fill(order, random.choice((0.5, 1.0)))
                    return True
        return False
