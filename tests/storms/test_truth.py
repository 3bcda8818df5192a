"""The sum that stands for a book: the same for the same levels, however they came about, and another for others."""

from hypothesis import given
from hypothesis import strategies as st
from tests.storms.truth import FEWEST, changed, is_part, mark

LEVELS = st.lists(st.tuples(st.integers(-20, 20).filter(bool).map(float), st.integers(0, 5).map(float)))


@given(LEVELS)
def test_changes_lead_to_the_sum_of_the_levels_that_are_left(changes: list[tuple[float, float]]) -> None:
    """Amount 0 removes a level; removing an unknown one does nothing."""
    levels: dict[float, float] = {}
    total = 0
    for key, amount in changes:
        total = changed(total, key, levels.get(key, 0.0), amount)
        levels[key] = amount
    left = {key: amount for key, amount in levels.items() if amount}
    assert total == sum(mark(key, amount) for key, amount in left.items()) % (1 << 64)


@given(LEVELS, LEVELS)
def test_other_levels_have_another_sum(some: list[tuple[float, float]], others: list[tuple[float, float]]) -> None:
    """One amount that differs is enough."""
    one, other = ({key: amount for key, amount in levels if amount} for levels in (some, others))
    sums = [sum(mark(*level) for level in levels.items()) % (1 << 64) for levels in (one, other)]
    assert (sums[0] == sums[1]) == (one == other)


def test_a_part_of_a_book_is_its_best_levels() -> None:
    """A side may end early, but no level before its end may be missing, another, or gone at the exchange."""
    whole = {float(key): 1.0 for key in (*range(-60, -20), *range(30, 70))}
    part = {key: amount for key, amount in whole.items() if -60 <= key <= -35 or 30 <= key <= 55}
    assert is_part(whole, whole)
    assert is_part(part, whole)
    assert not is_part(part | {-50.0: 2.0}, whole)
    assert not is_part(part | {29.0: 1.0}, whole)
    assert not is_part({key: amount for key, amount in part.items() if key != 40.0}, whole)
    assert not is_part({key: amount for key, amount in part.items() if key < 30.0 + FEWEST - 1}, whole)
    assert not is_part({key: amount for key, amount in part.items() if key < 0}, whole)
