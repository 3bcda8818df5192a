"""The terms of the markets that a strategy trades: ticks, steps, least sizes."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from millrace_core.instrument import Instrument
from millrace_core.market_terms import MarketTerms

_Key = tuple[str, str]


class Markets(Mapping[_Key, MarketTerms]):
    """The terms of markets by exchange and symbol, as the gatherer publishes them: live, since exchanges change them.

    They are known when the first event of one of the market's streams comes. Those that are not known have a base and a
    quote currency, and no rules. `in`, and iterating, tell of known ones.
    """

    def __init__(self) -> None:
        self._stated: dict[_Key, MarketTerms] = {}
        self._overrides: dict[_Key, dict[str, Decimal]] = {}
        self._present: dict[_Key, MarketTerms] = {}
        """As strategies see them, with what they override."""

    def __getitem__(self, key: tuple[str, str]) -> MarketTerms:
        found = self._present.get(key)
        return self._merged(key) if found is None else found

    def __contains__(self, key: object) -> bool:
        return key in self._stated

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._stated)

    def __len__(self) -> int:
        return len(self._stated)

    def override(
        self,
        exchange: str,
        symbol: str,
        *,
        tick_size: Decimal | None = None,
        amount_step: Decimal | None = None,
        min_amount: Decimal | None = None,
        min_cost: Decimal | None = None,
    ) -> None:
        """Let these count in the place of what the exchange states; None: as it states. The last call counts."""
        rules = {"tick_size": tick_size, "amount_step": amount_step, "min_amount": min_amount, "min_cost": min_cost}
        self._overrides[exchange, symbol] = {name: rule for name, rule in rules.items() if rule is not None}
        self._present[exchange, symbol] = self._merged((exchange, symbol))

    def show(self, exchange: str, symbol: str, terms: MarketTerms) -> None:
        """Show these terms from now on. For hosts only."""
        self._stated[exchange, symbol] = terms
        self._present[exchange, symbol] = self._merged((exchange, symbol))

    def _merged(self, key: _Key) -> MarketTerms:
        stated, overrides = self._stated.get(key), self._overrides.get(key)
        if stated is None:
            base, quote, settle = Instrument.of(key[1])
            stated = MarketTerms(base, quote, is_contract=settle is not None)
        return msgspec.structs.replace(stated, **overrides) if overrides else stated
