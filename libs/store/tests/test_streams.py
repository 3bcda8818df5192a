"""Names and their numbers: pure."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_store.schema.streams import parts_of, stream_id


@given(st.text())
def test_any_name_has_a_number_that_columns_can_hold(name: str) -> None:
    """48 bits, the same each time."""
    assert 0 <= stream_id(name) < 2**48
    assert stream_id(name) == stream_id(name)


def test_numbers_do_not_change() -> None:
    """They stand in databases: a change would lose every row."""
    assert stream_id("stream.T.kucoin.watchTrades.KCS/USDT") == 130836446204557


def test_names_are_taken_apart() -> None:
    """Streams, snapshots and requests belong to their tenants, whatever dots a symbol has; the rest to nobody."""
    assert parts_of("stream.T.kucoin.watchTrades.A.B/C") == ("T", "kucoin", "watchTrades", "A.B/C", "deltas")
    assert parts_of("stream.snapshot.T.kucoin.watchBalance") == ("T", "kucoin", "watchBalance", None, "snapshots")
    assert parts_of("T.traderActions") == ("T", None, "traderActions", None, "requests")
    for name in ("stream.config.GATHERER", "x", "", ".traderActions", "stream.T"):
        assert parts_of(name) == (None, None, None, None, "other")
