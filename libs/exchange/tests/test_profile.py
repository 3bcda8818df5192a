import ast
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millrace_exchange
from millrace_core.clock import DAY_MS
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds
from millrace_exchange.profile import ExchangeProfile, HistoryWindow
from millrace_exchange.profiles import profiles

REQUEST_IDS = st.integers(0, 2**128 - 1).map(lambda number: RequestId(f"{number:032x}"))
FORMS = [ClientOrderIds(), ClientOrderIds(form="base62", prefix="t-")]
WORKSPACE = Path(millrace_exchange.__file__).parents[4]
SOURCES = [
    path
    for member in ("libs/exchange", "packages/gatherer", "packages/executor")
    for path in (WORKSPACE / member / "src").rglob("*.py")
    if path.parent.name != "profiles"
]


@pytest.mark.parametrize("ids", FORMS)
@given(one=REQUEST_IDS, other=REQUEST_IDS)
def test_ids_are_the_same_for_the_same_request_only(ids: ClientOrderIds, one: RequestId, other: RequestId) -> None:
    """Every attempt of a request carries one id, and no other request's attempt does."""
    assert ids.of(one) == ids.of(one)
    assert (ids.of(one) == ids.of(other)) == (one == other)


@given(since_ms=st.integers(0, 40 * DAY_MS), reach=st.none() | st.integers(1, 30), width=st.none() | st.integers(1, 9))
def test_answers_reach_from_then_until_now(since_ms: int, reach: int | None, width: int | None) -> None:
    """Each answer begins where the one before ended, the last one ends now, and none begins too early."""
    now_ms = 40 * DAY_MS
    window = HistoryWindow(reach_ms=reach and reach * DAY_MS, width_ms=width and width * DAY_MS)
    starts = window.starts(since_ms, now_ms)
    assert starts[0] == max(since_ms, now_ms - reach * DAY_MS if reach else 0)
    if width:
        assert all(later - earlier == width * DAY_MS for earlier, later in pairwise(starts))
        assert starts[-1] + width * DAY_MS >= now_ms
        assert starts[1:] == [] or starts[-1] < now_ms
    else:
        assert len(starts) == 1


def test_an_accounts_own_validity_lengthens_the_settlement_window_only() -> None:
    """A shorter validity proves nothing sooner: what the exchange does by itself stays possible."""
    profile = ExchangeProfile(exchange=ExchangeId("x"), recv_window_ms=5_000, backend_ms=10_000)
    assert profile.accepting_for(60_000).settlement_window_ms == 70_000
    assert profile.accepting_for(10).settlement_window_ms == profile.settlement_window_ms == 15_000


def test_no_code_names_an_exchange() -> None:
    """What differs between exchanges is a value in a profile: the id of none stands in code outside of them."""
    found = [
        f"{path.name}:{node.lineno}: {node.value}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in profiles()
    ]
    assert len(SOURCES) > 40
    assert found == []


@pytest.mark.parametrize(
    "profile", {id(profile): profile for profile in profiles().values()}.values(), ids=lambda profile: profile.exchange
)
def test_a_request_socket_has_the_limit_that_paces_it(profile: ExchangeProfile) -> None:
    """Requests over a socket of their own are paced by the exchange's limit by IP; books are proved by someone."""
    assert profile.request_socket is None or any(limit.scope == "ip" for limit in profile.requests.limits)
    form = {"sequence": profile.book.frame_numbers, "checksum": profile.book.checksum_form}
    # Of a book of `event_range` the adapter finds only that it is numbered anew.
    proving = form.get(profile.book.proof) not in (None, "event_range")
    assert (profile.book.checked_by == "millrace") == proving
