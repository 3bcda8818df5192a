"""The balances that a strategy sees: live and read-only."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from millrace_core.market import Balance, Balances

_NONE: Mapping[str, Balance] = MappingProxyType({})


class AccountBalances(Mapping[str, Mapping[str, Balance]]):
    """Balances by exchange, then by currency code; an exchange that told nothing yet has none."""

    def __init__(self) -> None:
        self._accounts: dict[str, Mapping[str, Balance]] = {}

    def __getitem__(self, exchange: str) -> Mapping[str, Balance]:
        return self._accounts.get(exchange, _NONE)

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def show(self, exchange: str, balances: Balances) -> None:
        """Be a view of these from now on. For who feeds the strategy."""
        self._accounts[exchange] = MappingProxyType(balances)
