"""Converts an account's settings to those of a ccxt instance."""

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.request_gate import RequestGate

TIMEOUT_MS = 15_000
"""For REST calls and for answers over WebSocket. Binance itself answers within 10 s or not at all."""
KEEP_ALIVE_MS = 15_000
"""A ping is sent this often, and a connection that missed two answers is dropped."""
BASE = "base"
"""In `urls`: one address for every REST and WebSocket URL of the exchange; their paths stay."""
_ACCOUNT_DIGITS: Final = 16

Tree = dict[str, Any]


def constructor_settings(credentials: Credentials, profile: ExchangeProfile) -> Tree:
    """Return what ccxt's constructor takes: keys, a throttle that waits no longer than it must, no silent retries."""
    keys = {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "password": credentials.password,
        "uid": credentials.uid,
    }
    # ccxt waits for the ends of TLS connections before it has closed: without TLS there are none.
    at_once: Tree = {"timeout_on_exit": 0} if _is_plain(credentials) else {}
    return {
        **{name: value for name, value in keys.items() if value},
        **at_once,
        "enableRateLimit": True,
        # The default throttle adds 10 ms to every order, even the first after a pause.
        "rateLimiterAlgorithm": "rollingWindow",
        "timeout": TIMEOUT_MS,
        "newUpdates": True,
        "streaming": {"keepAlive": KEEP_ALIVE_MS},
        "options": merged(_options(credentials, profile), credentials.options),
    }


def _is_plain(credentials: Credentials) -> bool:
    """Tell whether all connections go to one address without TLS, such as the simulator's."""
    return set(credentials.urls) == {BASE} and urlsplit(str(credentials.urls[BASE])).scheme == "http"


def _options(credentials: Credentials, profile: ExchangeProfile) -> Tree:
    # A request to trade that is repeated by itself may trade twice.
    options: Tree = {
        "maxRetriesOnFailure": 0,
        "maxRetriesOnFailureDelay": 0,
        # Asking for the open orders of all symbols is meant, whatever it weighs.
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        # The open positions are asked for by us, after each reconnect too.
        "watchPositions": {"fetchPositionsSnapshot": False},
        # ccxt would have every order pay a fee to its makers.
        "builderFee": False,
    }
    if profile.recv_window_ms:
        # ccxt's own 10 s are twice what is wise.
        options["recvWindow"] = profile.recv_window_ms
    options = merged(merged(options, dict(profile.ccxt_options)), dict(profile.book.ccxt_options))
    if BASE in credentials.urls:
        # One address is one server, and such servers are spot markets: ccxt would ask it for the others too.
        options |= {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
    return options


def gate_of(profile: ExchangeProfile, credentials: Credentials, budget: RequestBudget | None) -> RequestGate:
    """Return the gate for an account's requests, or the public's.

    A test network and every other address count apart. The key itself stays out of Redis.
    """
    place = f"{profile.exchange}{'-test' if credentials.test else ''}"
    if base := credentials.urls.get(BASE):
        address = urlsplit(str(base))
        place += f"@{address.hostname}:{address.port}"
    key = credentials.api_key
    account = hashlib.sha256(key.encode()).hexdigest()[:_ACCOUNT_DIGITS] if key else None
    return RequestGate(profile, budget, place=place, account=account)


def overridden_urls(urls: Tree, overrides: Tree) -> Tree:
    """Return an exchange's `urls` with an account's merged over them.

    `{"base": "http://127.0.0.1:8080"}` points all of `urls["api"]` at one address: REST URLs at itself,
    WebSocket URLs at `ws://127.0.0.1:8080`, each with the path that it has at the exchange. Anything else
    given is merged over that, key by key.
    """
    rest = {name: value for name, value in overrides.items() if name != BASE}
    if base := overrides.get(BASE):
        urls = {**urls, "api": _moved(urls["api"], urlsplit(str(base)).scheme, urlsplit(str(base)).netloc)}
    return merged(urls, rest)


def _moved(tree: Any, scheme: str, netloc: str) -> Any:
    if isinstance(tree, dict):
        return {name: _moved(value, scheme, netloc) for name, value in tree.items()}
    parts = urlsplit(tree)
    if parts.scheme in ("ws", "wss"):
        scheme = {"http": "ws", "https": "wss"}[scheme]
    return urlunsplit((scheme, netloc, parts.path, parts.query, ""))


def merged(tree: Tree, overrides: Tree) -> Tree:
    """Return a tree of settings with another laid over it: mappings key by key, anything else replaced."""
    result = dict(tree)
    for name, value in overrides.items():
        below = result.get(name)
        result[name] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
