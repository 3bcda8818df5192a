from millrace_matching.book import BookSide
from millrace_matching.orders import Side


def test_bids_come_highest_first_and_asks_lowest_first() -> None:
    """The best level of either side is the one that the other side trades with first."""
    bids, asks = BookSide(Side.BUY), BookSide(Side.SELL)
    for order_id, price in enumerate((10, 12, 11)):
        bids.rest(order_id, 0, 1, price)
        asks.rest(order_id, 0, 1, price)
    assert [level.price for level in bids.levels()] == [12, 11, 10]
    assert [level.price for level in asks.levels()] == [10, 11, 12]


def test_a_level_goes_with_its_last_order() -> None:
    """A level stands as long as an order stands in it, and its total is what its orders have left."""
    side = BookSide(Side.SELL)
    first, second = side.rest(1, 0, 5, 10), side.rest(2, 0, 7, 10)
    side.remove(first)
    level = side.level(10)
    assert level is not None
    assert (level.total, level.first()) == (7, second)
    side.remove(second)
    assert side.best() is None
    assert len(side) == 0


def test_reach_is_judged_from_the_other_side() -> None:
    """A limit reaches a side when it is at least as good as its best price; no limit reaches any order."""
    asks = BookSide(Side.SELL)
    assert not asks.reaches(None)
    asks.rest(1, 0, 1, 10)
    assert asks.reaches(None)
    assert asks.reaches(10)
    assert not asks.reaches(9)
