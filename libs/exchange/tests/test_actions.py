from millrace_core.config.gatherer import ACCOUNT_WIDE_ACTIONS, PRIVATE_ACTIONS, WatchAction
from millrace_exchange.actions import ACTIONS
from millrace_exchange.ccxt.loading import load_exchange


def test_the_registry_is_what_a_configuration_may_ask_for() -> None:
    """Every action that the schema accepts stands in the table, with the same demands."""
    asked = set(WatchAction.__args__) - {"watchPositions"}
    assert set(ACTIONS) == asked
    assert {name for name, action in ACTIONS.items() if action.is_private} == PRIVATE_ACTIONS & asked
    assert {name for name, action in ACTIONS.items() if action.is_account_wide} == ACCOUNT_WIDE_ACTIONS & asked


def test_ccxt_has_every_method_of_the_registry() -> None:
    """A method that ccxt renamed would be missed only when it is called."""
    loaded = load_exchange("binance")
    for action in ACTIONS.values():
        methods = [method for method in (action.watch, action.fetch, action.unwatch) if method]
        assert all(callable(getattr(loaded, method, None)) for method in methods), action
