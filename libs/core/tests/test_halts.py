"""Halts join whatever the order, and only a later resumption ends one."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.halts import MOST_SCOPES, HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId

BINANCE, KUCOIN = ExchangeId("binance"), ExchangeId("kucoin")
SCOPES = st.sampled_from([HaltScope(), HaltScope(BINANCE), HaltScope(order_source="James/Bond")])
NOTES = st.builds(HaltNote, since=st.integers(1, 4), reason=st.sampled_from([None, "a", "b"]))
STATES = st.builds(
    # Joined with nothing, a state has no halt that it knows to be over.
    lambda halts, resumed: HaltState(halts, resumed).join(HaltState()),
    st.dictionaries(SCOPES, NOTES),
    st.dictionaries(SCOPES, st.integers(1, 4)),
)


@given(STATES, STATES, STATES)
def test_copies_join_in_any_order(a: HaltState, b: HaltState, c: HaltState) -> None:
    """Whoever learns what first, all end with the same state, and to learn it twice changes nothing."""
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(a) == a


@given(STATES, SCOPES, st.integers(0, 9))
def test_a_copy_without_the_halt_or_with_an_older_state_lifts_nothing(
    state: HaltState, scope: HaltScope, at_ms: int
) -> None:
    """A halt is in force after its copies lost it; after a resumption it is over in all that join."""
    halted = state.halted(scope, HaltNote(at_ms, "stop"))
    assert halted.join(HaltState()).join(state).halts[scope].reason == "stop"
    resumed = halted.resume(scope, at_ms)
    assert scope not in resumed.join(halted).join(state).halts
    assert scope in resumed.halted(scope, HaltNote(0)).join(resumed).halts


def test_however_many_scopes_are_invented_a_halt_is_small_and_in_force() -> None:
    """Whoever may halt may name any number of sources, and resume them: what is kept stays bounded, and halted."""
    state = HaltState()
    for number in range(MOST_SCOPES + 10):
        scope = HaltScope(None, f"source {number}")
        state = state.halted(scope, HaltNote(number))
        assert any(each.covers(None, scope.order_source) for each in state.halts)
        if number % 2 and scope in state.halts:
            state = state.resume(scope, number)
    assert len(state.halts.keys() | state.resumed.keys()) <= MOST_SCOPES + 2
    assert "no room for */source 1009, so everything is halted" in str(state.halts[HaltScope()].reason)


def test_a_scope_covers_what_it_names() -> None:
    """No part means all of it."""
    assert HaltScope().covers(BINANCE, "James")
    assert HaltScope(BINANCE).covers(BINANCE, None)
    assert not HaltScope(BINANCE).covers(KUCOIN, "James")
    assert not HaltScope(BINANCE, "James").covers(BINANCE, "Ann")
