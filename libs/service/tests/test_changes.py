"""What must change between two sets of units."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_service.changes import diff

UNITS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3))


@given(UNITS, UNITS)
def test_carrying_the_changes_out_gives_exactly_the_wanted_units(
    running: dict[str, int], wanted: dict[str, int]
) -> None:
    """Stopping, restarting and starting what the diff names turns the running units into the wanted ones."""
    changes = diff(running, wanted)
    after = {key: config for key, config in running.items() if key not in changes.stop}
    after |= {key: wanted[key] for key in changes.start | changes.restart}
    assert after == wanted


@given(UNITS, UNITS)
def test_an_equal_unit_is_never_touched(running: dict[str, int], wanted: dict[str, int]) -> None:
    """A unit whose configuration is the same before and after appears in no change, and no unit in two."""
    changes = diff(running, wanted)
    touched = [*changes.start, *changes.stop, *changes.restart]
    assert len(touched) == len(set(touched))
    assert not set(touched) & {key for key in running if running[key] == wanted.get(key)}


@given(UNITS)
def test_the_same_units_are_no_change(units: dict[str, int]) -> None:
    """Asking for what runs already changes nothing."""
    assert not diff(units, dict(units))
