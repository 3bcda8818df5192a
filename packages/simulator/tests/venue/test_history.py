from random import Random

import pytest

from millrace_matching import Side
from millrace_simulator.venue import Instrument, Venue
from millrace_simulator.venue.errors import UnknownSymbol


def test_every_past_book_comes_back_exactly(venue: Venue, kcs: Instrument) -> None:
    """Across checkpoints, the book as of each update is the book that was."""
    assert venue.history is not None
    rng, seen = Random(1), {}
    for _ in range(9_000):
        price = rng.randrange(12_300, 12_700)
        venue.crowd_submit(kcs, rng.choice(list(Side)), rng.randrange(1, 500), price)
        if rng.random() < 0.01:
            seen[kcs.last_update_id] = kcs.depth()
    assert kcs.last_update_id > 2 * 4096
    for update_id, depth in seen.items():
        assert venue.history.book_as_of("KCSUSDT", update_id) == depth


def test_a_book_between_two_updates_of_one_action_is_there_too(venue: Venue, kcs: Instrument) -> None:
    """An action that changes three levels leaves three books behind."""
    assert venue.history is not None
    for price in (12_500, 12_501):
        venue.crowd_submit(kcs, Side.SELL, 100, price)
    venue.crowd_submit(kcs, Side.BUY, 300, 12_501)
    asks = [venue.history.book_as_of("KCSUSDT", update_id).asks for update_id in range(6)]
    assert asks == [(), ((12_500, 100),), ((12_500, 100), (12_501, 100)), ((12_501, 100),), (), ()]


def test_what_has_not_happened_is_not_answered(venue: Venue, kcs: Instrument) -> None:
    """A symbol without a record and an update to come are errors of their own."""
    assert venue.history is not None
    with pytest.raises(UnknownSymbol):
        venue.history.book_as_of("KCSUSDT", 0)
    venue.crowd_submit(kcs, Side.SELL, 100, 12_500)
    with pytest.raises(LookupError):
        venue.history.book_as_of("KCSUSDT", 2)
