"""ccxt itself, asked what it would send: profiles say how it behaves, so its own code is the witness."""

from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of

OUR_ID = "00112233445566778899aabbccddeeff"
"""A request id."""


class RecordedCcxt:
    """An exchange of ccxt with one market, whose requests are kept instead of sent."""

    def __init__(self, exchange: str, options: dict[str, Any] | None = None) -> None:
        self.profile: ExchangeProfile = profile_of(exchange)
        self.ccxt: Any = load_exchange(exchange)({"options": options or {}})
        own_test = _own_test(exchange) if (Path(__file__).parent / f"test_{exchange}.py").exists() else None
        self.symbol: str = getattr(own_test, "SYMBOL", "BTC/USDT")
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
        self.errors: list[str] = []
        self.subscriptions: dict[str, Any] = {}

    def resolve(self, _book: Any, _name: str) -> None:
        """Take a book that was changed."""
        self.books += 1

    def reject(self, error: Any, _name: str) -> None:
        """Take what is wrong with a book."""
        self.errors.append(type(error).__name__)


def _leaves(tree: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in _leaves(value, str(key))]
    if isinstance(tree, list):
        return [leaf for value in tree for leaf in _leaves(value, name)]
    return [(name, tree)]


@cache
def _own_test(exchange: str) -> ModuleType:
    path = Path(__file__).with_name(f"test_{exchange}.py")
    spec = spec_from_file_location(f"own_test_of_{exchange}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def own_test() -> Callable[[str], ModuleType]:
    """Load the test of one exchange's profile, which states what the tests of all profiles need.

    That is `CLIENT_ORDER_ID_FORM`, a regular expression, and where they apply: `EDIT_PARAMETER`, the exchange's own
    name of our id in an edit; `SYMBOL`, a market that it has; `FORMER_NAMES`, aliases that ccxt knew once;
    `EDIT_IS_MISSING`.
    """
    return _own_test


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
