"""A plot shows a run of any length in a bounded number of points."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_magicbox.plots import MOST_POINTS, PlotLine


@given(st.lists(st.integers(0, 5_000), max_size=2_000), st.integers(0, 2_000))
def test_a_plot_becomes_coarser_and_not_shorter(pauses_ms: list[int], restart_at: int) -> None:
    """First and newest value stay, points keep their order and their bound, also over a restart in between."""
    line, at_ms, added = PlotLine(), 0, []
    for number, pause_ms in enumerate(pauses_ms):
        if number == restart_at:
            line = PlotLine(line.points)
        at_ms += pause_ms
        added.append((at_ms, float(number)))
        line.add(*added[-1])
    assert len(line.points) <= MOST_POINTS
    assert line.points == sorted(line.points)
    assert set(line.points) <= set(added)
    assert line.points[-1:] == added[-1:]
    if added:
        assert line.points[0] in added[:2]
