"""ccxt's methods for the platform's actions."""

from millrace_core.actions import ACTIONS
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.subscriptions import METHODS


def test_ccxt_has_a_method_for_every_action() -> None:
    """A method that ccxt renamed would be missed only when it is called."""
    loaded = load_exchange("binance")
    for action in ACTIONS.values():
        methods = [METHODS[action]] if action.is_private else [METHODS[action], f"un_{METHODS[action]}"]
        assert all(callable(getattr(loaded, method, None)) for method in methods), action
