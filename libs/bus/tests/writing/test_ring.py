"""What a writer keeps."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_bus.writing.ring import KEPT_NS, Ring


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, KEPT_NS)), max_size=60), st.integers(1, 20))
def test_nothing_unacknowledged_goes_unnoticed(steps: list[tuple[int, int]], most: int) -> None:
    """Every message that Redis may lack is kept, or its loss was told; the numbers never have a hole."""
    ring, acknowledged, now, lost = Ring(most), 0, 0, False
    for seq, (newly, passed) in enumerate(steps, start=1):
        now += passed
        lost |= not ring.append(seq, now, b"%d" % seq, acknowledged)
        kept = [number for number, _ in ring.after(0)]
        assert kept == list(range(kept[0], seq + 1))
        assert len(ring) <= most
        assert lost or kept[0] <= acknowledged + 1
        acknowledged = min(seq, acknowledged + newly)


def test_what_is_acknowledged_is_kept_for_a_while() -> None:
    """Redis may still lose it: it goes after 5 s."""
    ring = Ring(10)
    ring.append(1, 0, b"1", acknowledged=0)
    ring.append(2, KEPT_NS, b"2", acknowledged=1)
    assert ring.first == 1
    ring.append(3, KEPT_NS + 1, b"3", acknowledged=2)
    assert ring.first == 2
    assert ring.after(2) == [(3, b"3")]
    ring.clear()
    assert ring.first is None
