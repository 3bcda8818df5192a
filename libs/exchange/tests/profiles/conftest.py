"""ccxt itself, asked what it would send: profiles say how it behaves, so its own code is the witness."""

from collections.abc import Callable
from typing import Any

import pytest

from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of

OUR_ID = "00112233445566778899aabbccddeeff"
"""A request id."""
_SWAPS = frozenset({"binanceusdm", "kucoinfutures", "hyperliquid"})


class RecordedCcxt:
    """An exchange of ccxt with one market, whose requests are kept instead of sent."""

    def __init__(self, exchange: str, options: dict[str, Any] | None = None) -> None:
        self.profile: ExchangeProfile = profile_of(exchange)
        self.ccxt: Any = load_exchange(exchange)({"options": options or {}})
        self.symbol = "BTC/USDT:USDT" if exchange in _SWAPS else "BTC/USDT"
        self.client_order_id = self.profile.client_order_ids.of(OUR_ID)
        self.answer: Any = {}
        """What the exchange answers to everything."""
        self.sent: list[tuple[str, dict[str, Any]]] = []
        """Path and parameters of each request."""
        self.ccxt.set_markets([self._market()])
        self.ccxt.request = self._request
        # What ccxt would ask the exchange first: KuCoin's kind of account, Gate's and Bybit's unified accounts.
        self.ccxt.options |= {
            "hf": True,
            "uta": False,
            "unifiedAccount": False,
            "enableUnifiedAccount": True,
            "enableUnifiedMargin": False,
        }
        self.ccxt.walletAddress, self.ccxt.privateKey = "0x" + "0" * 40, "0x" + "1" * 64

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that carry our id."""
        return self.profile.client_order_ids.params(self.client_order_id)

    def _market(self) -> Any:
        is_swap = self.symbol.endswith(":USDT")
        return self.ccxt.safe_market_structure(
            {
                "id": "BTCUSDT",
                "symbol": self.symbol,
                "base": "BTC",
                "quote": "USDT",
                "baseId": "0",
                "quoteId": "USDT",
                "baseName": "BTC",
                "type": "swap" if is_swap else "spot",
                "spot": not is_swap,
                "swap": is_swap,
                "contract": is_swap,
                "linear": True if is_swap else None,
                "settle": "USDT" if is_swap else None,
                "settleId": "USDT" if is_swap else None,
                "precision": {"price": 0.01, "amount": 0.0001, "quote": 0.01},
                "info": {"orderTypes": ["LIMIT", "MARKET"]},
            }
        )

    async def _request(self, path: str, api: Any, method: str, params: Any, *_: Any, **__: Any) -> Any:
        self.sent.append((path, dict(params)))
        return self.answer

    @property
    def sent_ids(self) -> set[str]:
        """The names under which our id was sent."""
        return {
            name for _, params in self.sent for name, value in _leaves(params) if str(value) == self.client_order_id
        }


class Socket:
    """Stands for the connection over which a book came."""

    def __init__(self) -> None:
        self.books = 0
        """How often a book was passed on."""
        self.subscriptions: dict[str, Any] = {}

    def resolve(self, _book: Any, _name: str) -> None:
        """Take a book that was changed."""
        self.books += 1


def _leaves(tree: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in _leaves(value, str(key))]
    if isinstance(tree, list):
        return [leaf for value in tree for leaf in _leaves(value, name)]
    return [(name, tree)]


@pytest.fixture
def recorded() -> Callable[..., RecordedCcxt]:
    """Open an exchange of ccxt that sends nothing."""
    return RecordedCcxt


@pytest.fixture
def socket() -> Socket:
    """Return a connection for ccxt's handlers of messages."""
    return Socket()


@pytest.fixture(scope="session")
def ccxt_class() -> Callable[[str], Any]:
    """Load ccxt's streaming class of an exchange."""
    return load_exchange
