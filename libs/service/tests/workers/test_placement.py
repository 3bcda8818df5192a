"""Which worker runs which unit."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from millrace_service.workers.placement import place

WORKERS = ["1", "2", "3"]
UNITS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from("xyzuvw"), max_size=12)


@given(UNITS, UNITS, st.fixed_dictionaries(dict.fromkeys(WORKERS, st.floats(0, 400))))
def test_units_stay_and_groups_stay_together(
    before: dict[str, str], more: dict[str, str], load: dict[str, float]
) -> None:
    """Every unit has a worker; those that are placed stay when others come; a group is in one worker."""
    first = place(before, {}, WORKERS, {})
    groups = {**more, **before}
    second = place(groups, first, WORKERS, load)
    assert second.keys() == groups.keys()
    assert all(second[unit] == first[unit] for unit in before)
    homes = {(groups[unit], worker) for unit, worker in second.items()}
    assert len(homes) == len(set(groups.values()))


@given(st.integers(0, 60))
def test_units_of_which_nothing_is_known_are_spread_evenly(count: int) -> None:
    """Before anything was measured no worker has more than one unit more than another."""
    found = Counter(place({str(n): str(n) for n in range(count)}, {}, WORKERS, {}).values())
    counts = [found[worker] for worker in WORKERS]
    assert max(counts) - min(counts) <= 1


def test_a_group_counts_once_whatever_its_size() -> None:
    """Nine quiet streams of one account do not push all others to the other worker."""
    groups = {f"private{n}": "account" for n in range(9)} | {f"public{n}": f"public{n}" for n in range(7)}
    assert Counter(place(groups, {}, ["1", "2"], {}).values()) == {"1": 9 + 3, "2": 4}


def test_a_new_unit_goes_where_there_is_most_room() -> None:
    """The worker with the least load takes it, although it runs more units."""
    placed = {"a": "1", "b": "2", "c": "2", "d": "2"}
    found = place({unit: unit for unit in "abcde"}, placed, ["1", "2"], {"1": 90.0, "2": 10.0})
    assert found["e"] == "2"


def test_units_of_a_worker_that_is_gone_move() -> None:
    """They go to one that is there."""
    assert place({"a": "a"}, {"a": "9"}, ["1"], {}) == {"a": "1"}
