from millrace_simulator.venue import ManualClock, WallClock


def test_the_wall_clock_never_goes_back() -> None:
    """Times are never less than before, and a market's steps do not move them."""
    clock = WallClock()
    first = clock.now_us()
    clock.reach(first + 10**12)
    assert first <= clock.now_us() < first + 10**12


def test_a_manual_clock_goes_where_it_is_led_and_not_back() -> None:
    """It stands until it is moved, and a time already passed does not move it."""
    clock = ManualClock(100)
    clock.reach(150)
    clock.reach(120)
    assert clock.now_us() == 150
