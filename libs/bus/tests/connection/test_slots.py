"""Which keys a cluster keeps together."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_bus.connection.slots import by_slot, one_group, slot_of
from millrace_core.names import (
    ExchangeId,
    Symbol,
    Tenant,
    halt_key,
    intents_key,
    open_orders_key,
    order_key,
    orders_key,
)

KEYS = st.lists(st.text(max_size=12), max_size=30, unique=True)


def test_slots_are_those_of_the_specification() -> None:
    """The examples of Redis' own documentation, and what its server answers to CLUSTER KEYSLOT."""
    assert slot_of("123456789") == 0x31C3 % 16_384
    assert slot_of("foo") == 12_182
    assert slot_of("{user1000}.following") == slot_of("{user1000}.followers") == slot_of("user1000")
    assert slot_of("foo{}{bar}") != slot_of("bar")
    assert slot_of("foo{{bar}}zap") == slot_of("{bar")
    assert slot_of("foo{bar}{zap}") == slot_of("bar")


def test_all_that_changes_with_an_order_lies_in_one_slot() -> None:
    """Its hash, its indexes, the intents and the halts of its tenant may change in one transaction."""
    tenant, exchange, symbol = Tenant("StrankaXY"), ExchangeId("kucoin"), Symbol("KCS/USDT")
    keys = [
        order_key(tenant, "1"),
        orders_key(tenant, exchange, symbol),
        open_orders_key(tenant, exchange, symbol),
        intents_key(tenant, exchange),
        halt_key(tenant),
    ]
    assert by_slot(keys) == one_group(keys) == [keys]


@given(KEYS)
def test_grouping_keeps_every_key_and_their_order(keys: list[str]) -> None:
    """Each group is of one slot, in the order that was asked for; nothing is lost, and no keys are no groups."""
    groups = by_slot(keys)
    assert sorted(key for group in groups for key in group) == sorted(keys)
    assert all(len({slot_of(key) for key in group}) == 1 for group in groups)
    assert all(group == [key for key in keys if key in group] for group in groups)
    assert one_group(keys) == ([keys] if keys else [])
