from millrace_core.trace import Trace


def test_latencies_are_between_neighbouring_hops() -> None:
    """A hop that was not passed is left out, and its neighbours are compared instead."""
    trace = Trace(received=100, published=150).at(accepted=400)
    assert trace.latencies() == {"received→published": 50, "published→accepted": 250}


def test_a_trace_without_hops_has_no_latencies() -> None:
    """One hop alone takes no time."""
    assert Trace(received=100).latencies() == {}
