from hypothesis import given
from hypothesis import strategies as st

from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.settings import constructor_settings, merged, overridden_urls

BINANCE = {
    "api": {"public": "https://api.binance.com/api/v3", "ws": {"spot": "wss://stream.binance.com:9443/ws"}},
    "www": "https://www.binance.com",
}
TREES = st.recursive(
    st.integers(), lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3), max_leaves=8
).filter(lambda tree: isinstance(tree, dict))


def test_a_base_moves_every_url_and_keeps_its_path() -> None:
    """One address serves REST and WebSocket under the paths that the exchange has."""
    urls = overridden_urls(BINANCE, {"base": "http://127.0.0.1:8080"})
    assert urls["api"] == {"public": "http://127.0.0.1:8080/api/v3", "ws": {"spot": "ws://127.0.0.1:8080/ws"}}
    assert urls["www"] == BINANCE["www"]


def test_single_urls_are_laid_over_the_base() -> None:
    """What is spelled out wins, the rest stays."""
    urls = overridden_urls(BINANCE, {"base": "https://one", "api": {"ws": {"spot": "wss://other/ws"}}})
    assert urls["api"] == {"public": "https://one/api/v3", "ws": {"spot": "wss://other/ws"}}


@given(tree=TREES, over=TREES)
def test_what_is_laid_over_is_found_and_nothing_else_changes(tree: dict, over: dict) -> None:  # type: ignore[type-arg]
    """Every setting laid over is in the result, every other one as it was."""
    result = merged(tree, over)
    assert merged(result, over) == result
    assert all(result[name] == tree[name] for name in tree.keys() - over.keys())
    assert all(result[name] == value for name, value in over.items() if not isinstance(value, dict))


def test_nothing_is_sent_twice_by_itself_whatever_the_account_says_otherwise() -> None:
    """Requests are not repeated, the throttle does not delay, and the account's options come on top."""
    settings = constructor_settings(Credentials(api_key="k", secret="s", options={"defaultType": "swap"}))
    assert settings["options"]["maxRetriesOnFailure"] == 0
    assert settings["options"]["defaultType"] == "swap"
    assert settings["rateLimiterAlgorithm"] == "rollingWindow"
    assert (settings["apiKey"], settings["secret"]) == ("k", "s")
    assert "password" not in settings
