from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.settings import constructor_settings, merged, overridden_urls
from millrace_exchange.profile import BookRules, ExchangeProfile

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
    credentials = Credentials(api_key="k", secret="s", options={"defaultType": "swap"})
    settings = constructor_settings(credentials, ExchangeProfile(exchange=ExchangeId("x")))
    assert settings["options"]["maxRetriesOnFailure"] == 0
    assert settings["options"]["defaultType"] == "swap"
    assert settings["rateLimiterAlgorithm"] == "rollingWindow"
    assert (settings["apiKey"], settings["secret"]) == ("k", "s")
    assert "password" not in settings


@pytest.mark.parametrize(
    ("urls", "waits"),
    [
        ({"base": "http://127.0.0.1:8080"}, False),
        ({"base": "https://one"}, True),
        ({"base": "http://one", "api": {"ws": {"spot": "wss://other/ws"}}}, True),
        ({"api": {"public": "http://one"}}, True),
        ({}, True),
    ],
)
def test_closing_waits_for_connections_only_where_they_are_encrypted(urls: dict[str, Any], waits: bool) -> None:
    """Without TLS nothing follows the end of a connection; what is not known to be without it is waited for."""
    profile = ExchangeProfile(exchange=ExchangeId("binance"))
    exchange = load_exchange("binance")(constructor_settings(Credentials(urls=urls), profile))
    assert (exchange.timeout_on_exit > 0) is waits


def test_a_profile_sets_what_an_account_leaves_open() -> None:
    """Ccxt's own checks of books and the validity of requests are the profile's, unless the account says otherwise."""
    book = BookRules(proof="checksum", checked_by="ccxt", ccxt_options={"watchOrderBook": {"checksum": True}})
    profile = ExchangeProfile(exchange=ExchangeId("x"), book=book, recv_window_ms=3_000)
    options = constructor_settings(Credentials(), profile)["options"]
    assert (options["watchOrderBook"], options["recvWindow"]) == ({"checksum": True}, 3_000)
    options = constructor_settings(Credentials(options={"recvWindow": 9_000}), profile)["options"]
    assert options["recvWindow"] == 9_000
    unbounded = ExchangeProfile(exchange=ExchangeId("x"), recv_window_ms=0)
    assert "recvWindow" not in constructor_settings(Credentials(), unbounded)["options"]
