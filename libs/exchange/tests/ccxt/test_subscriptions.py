"""ccxt's methods for the platform's actions."""

from millrace_core.actions import ACTIONS, CANDLES, ORDER_BOOK, TICKER, TRADES
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.polling import QUESTIONS
from millrace_exchange.ccxt.subscriptions import METHODS


def test_ccxt_has_a_method_for_every_action() -> None:
    """A method that ccxt renamed would be missed only when it is called."""
    loaded = load_exchange("binance")
    for action in ACTIONS.values():
        methods = [QUESTIONS[action], *filter(None, [METHODS.get(action)])]
        methods += [f"un_{METHODS[action]}"] if action in (ORDER_BOOK, TRADES, TICKER, CANDLES) else []
        assert all(callable(getattr(loaded, method, None)) for method in methods), action
