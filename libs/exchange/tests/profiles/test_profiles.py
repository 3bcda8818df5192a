"""What must hold of every profile; ccxt's own code is the witness."""

import contextlib
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from ccxt.base.errors import BaseError
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId
from millrace_exchange.errors import UnknownExchange
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of, profiles

PROFILES = sorted({profile.exchange: profile for profile in profiles().values()}.items())
EVERY_PROFILE = pytest.mark.parametrize(
    "profile", [profile for _, profile in PROFILES], ids=[name for name, _ in PROFILES]
)
WITHOUT_WARNING = {"warnOnFetchOpenOrdersWithoutSymbol": False}
REQUEST_IDS = st.integers(0, 2**128 - 1).map(lambda number: RequestId(f"{number:032x}"))


@EVERY_PROFILE
def test_every_profile_has_a_test_of_its_own(profile: ExchangeProfile, own_test: Callable[[str], Any]) -> None:
    """The test beside the profile names the form of client order ids that the exchange takes."""
    assert re.compile(own_test(profile.exchange).CLIENT_ORDER_ID_FORM)


@EVERY_PROFILE
def test_a_profile_is_found_by_its_id_and_aliases(profile: ExchangeProfile) -> None:
    """Each name of an exchange leads to its one profile."""
    assert all(profile_of(name) is profile for name in (profile.exchange, *profile.aliases))


def test_an_exchange_without_a_profile_has_the_safe_default() -> None:
    """Nothing is assumed about an exchange without a profile."""
    profile = profile_of(ExchangeId("nowhere"))
    assert profile == ExchangeProfile(exchange=ExchangeId("nowhere"))
    assert profile.book.checked_by == "nobody"
    assert profile.client_order_ids.uniqueness == "unknown"
    assert not profile.client_order_ids.finds_closed
    assert profile.settlement_window_ms >= 60_000


@EVERY_PROFILE
def test_ccxt_knows_every_id(
    profile: ExchangeProfile, ccxt_class: Callable[[str], Any], own_test: Callable[[str], Any]
) -> None:
    """A profile is of an exchange that ccxt can open; an alias is too, or was ccxt's name of it once."""
    former: set[str] = getattr(own_test(profile.exchange), "FORMER_NAMES", set())
    for name in {profile.exchange, *profile.aliases} - former:
        assert ccxt_class(name).__name__ == name
    for name in former:
        with pytest.raises(UnknownExchange):
            ccxt_class(name)


@EVERY_PROFILE
@given(request_id=REQUEST_IDS)
def test_client_order_ids_have_the_form_that_the_exchange_allows(
    profile: ExchangeProfile, request_id: RequestId, own_test: Callable[[str], Any]
) -> None:
    """No request id becomes a client order id that the exchange would refuse."""
    assert re.fullmatch(own_test(profile.exchange).CLIENT_ORDER_ID_FORM, profile.client_order_ids.of(request_id))


@EVERY_PROFILE
@given(one=REQUEST_IDS, other=REQUEST_IDS)
def test_client_order_ids_differ_as_requests_do(profile: ExchangeProfile, one: RequestId, other: RequestId) -> None:
    """Every attempt of a request carries one id; another request carries another, as far as 45 bits can tell."""
    ids = profile.client_order_ids
    bits = 45 if ids.form == "int45" else 128
    is_same = int(one, 16) % 2**bits == int(other, 16) % 2**bits
    assert (ids.of(one) == ids.of(other)) == is_same


@EVERY_PROFILE
def test_unverified_names_fields_that_exist(profile: ExchangeProfile) -> None:
    """A misspelt field would be taken for a verified one."""
    for name in profile.unverified:
        owner: Any = profile
        for part in name.split("."):
            assert part in {field.name for field in dataclasses.fields(owner)}, name
            owner = getattr(owner, part)


@EVERY_PROFILE
def test_every_profile_names_its_sources(profile: ExchangeProfile) -> None:
    """A reader can check each fact where it comes from."""
    docstring = import_module(f"millrace_exchange.profiles.{profile.exchange}").__doc__ or ""
    assert re.search(r"^Source: \S", docstring, re.MULTILINE)


@EVERY_PROFILE
def test_ccxt_reads_the_options_that_are_set(profile: ExchangeProfile, ccxt_class: Callable[[str], Any]) -> None:
    """An option that ccxt does not know would switch nothing."""
    modules = {
        sys.modules[base.__module__] for base in ccxt_class(profile.exchange).__mro__ if "ccxt" in base.__module__
    }
    source = "".join(inspect.getsource(module) for module in modules)
    for options in (profile.ccxt_options, profile.book.ccxt_options):
        assert all(f"'{key}'" in source for key in _keys(options))


@EVERY_PROFILE
def test_books_unsubscribe_where_ccxt_can(profile: ExchangeProfile, ccxt_class: Callable[[str], Any]) -> None:
    """A book that is started again gets a new snapshot only if its subscription was ended."""
    assert profile.book.unsubscribes == bool(ccxt_class(profile.exchange)().has["unWatchOrderBook"])


@EVERY_PROFILE
def test_orders_are_edited_where_ccxt_can(
    profile: ExchangeProfile, ccxt_class: Callable[[str], Any], own_test: Callable[[str], Any]
) -> None:
    """An order can be edited where ccxt's `has` says so, unless the profile's own test shows that it is wrong."""
    is_wrong = getattr(own_test(profile.exchange), "EDIT_IS_MISSING", False)
    can_edit = bool(ccxt_class(profile.exchange)().has["editOrder"])
    assert (profile.edit != "unsupported") == (can_edit and not is_wrong)


@EVERY_PROFILE
def test_a_checked_book_has_something_to_check(profile: ExchangeProfile) -> None:
    """Numbers or a checksum are compared only if there are any."""
    book = profile.book
    assert book.checked_by == "nobody" or book.proof != "none"
    assert book.snapshot_levels is None or book.stream_levels is None or book.snapshot_levels >= book.stream_levels


@EVERY_PROFILE
@pytest.mark.parametrize("method", ["fetch_order", "cancel_order"])
async def test_our_id_reaches_the_exchange_where_a_profile_says_so(
    profile: ExchangeProfile, method: str, recorded: Callable[..., Any]
) -> None:
    """Orders are asked for and canceled by our id only where ccxt sends it."""
    ids = profile.client_order_ids
    if not (ids.fetches if method == "fetch_order" else ids.cancels):
        return
    exchange = recorded(profile.exchange, dict(profile.ccxt_options))
    # The answer is empty, which few of ccxt's parsers are made for; what was sent before is what counts.
    with contextlib.suppress(BaseError, LookupError, TypeError):
        await getattr(exchange.ccxt, method)("", exchange.symbol, exchange.params)
    assert exchange.sent_ids, exchange.sent


@EVERY_PROFILE
async def test_an_edit_carries_our_id_where_a_profile_says_so(
    profile: ExchangeProfile, recorded: Callable[..., Any], own_test: Callable[[str], Any]
) -> None:
    """What our id means in an edit follows from the name under which ccxt sends it: of a new order, or of the old."""
    name = getattr(own_test(profile.exchange), "EDIT_PARAMETER", None)
    assert (profile.edit_client_order_id != "none") == (name is not None)
    if name is None:
        return
    exchange = recorded(profile.exchange)
    exchange.ccxt.accounts = [{"id": "1", "type": "spot"}]
    with contextlib.suppress(BaseError, LookupError, TypeError):
        await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    assert name in exchange.sent_ids, exchange.sent


@EVERY_PROFILE
async def test_a_list_of_all_open_orders_is_of_all_kinds_where_a_profile_says_so(
    profile: ExchangeProfile, recorded: Callable[..., Any]
) -> None:
    """It does so if ccxt asks the same whatever kind is meant; of an exchange of one kind, there is no other."""
    sent: dict[str, list[Any]] = {"spot": [], "swap": []}
    for kind, requests in sent.items():
        exchange = recorded(profile.exchange, {**WITHOUT_WARNING, "defaultType": kind})
        exchange.ccxt.options["hf"] = False
        exchange.ccxt.accounts = [{"id": "1", "type": "spot"}]

        async def note(path: str, api: Any, *_: Any, requests: list[Any] = requests, **__: Any) -> dict[str, Any]:
            requests.append((path, api))
            return {}

        exchange.ccxt.request = note
        for params in profile.open_orders.of_account:
            with contextlib.suppress(BaseError, LookupError, TypeError):
                await exchange.ccxt.fetch_open_orders(None, None, None, dict(params))
    assert sent["spot"]
    has_both = exchange.ccxt.has["spot"] is not False and exchange.ccxt.has["swap"] is not False
    is_of_all = sent["spot"] == sent["swap"] and profile.open_orders.of_account == ({},)
    assert (profile.open_orders.covers == "account") == (is_of_all or not has_both)


@EVERY_PROFILE
async def test_balances_are_those_that_a_profile_names(profile: ExchangeProfile, recorded: Callable[..., Any]) -> None:
    """Of the kind of market that ccxt takes for meant; or it asks the same whatever kind is."""
    ccxt = recorded(profile.exchange).ccxt
    kind, _ = ccxt.handle_market_type_and_params("fetchBalance", None, {})
    if profile.balances != "account":
        assert (kind == "spot") == (profile.balances == "spot")
        return
    sent: list[list[Any]] = []
    for meant in ("spot", "swap"):
        exchange = recorded(profile.exchange, {"defaultType": meant})
        exchange.ccxt.options |= {"enableUnifiedMargin": True, "unifiedMarginStatus": 5}
        with contextlib.suppress(BaseError, LookupError, TypeError):
            await exchange.ccxt.fetch_balance()
        sent.append(exchange.sent)
    assert sent[0] == sent[1] != []


@EVERY_PROFILE
def test_ccxt_handles_an_event_by_the_method_that_a_profile_names(
    profile: ExchangeProfile, recorded: Callable[..., Any]
) -> None:
    """What goes to a method at once would come to the same one through ccxt's table."""
    for event, method in profile.event_methods.items():
        ccxt, client, handled = recorded(profile.exchange).ccxt, SimpleNamespace(subscriptions={}), list[Any]()
        setattr(ccxt, method, lambda *arguments, handled=handled: handled.append(arguments))
        ccxt.handle_message(client, frame := {"e": event})
        assert handled == [(client, frame)]


def _keys(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value)
