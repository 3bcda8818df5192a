"""Which streams a connection asks for."""

from millrace_exchange.native.requests import Request, StreamRequests


def wanting(*streams: str, most: int = 200) -> StreamRequests:
    """Return the requests of a connection from which these are wanted."""
    requests = StreamRequests(most)
    requests.wanted.update(dict.fromkeys(streams))
    return requests


def test_streams_are_asked_for_in_few_requests() -> None:
    """As many in one as the exchange takes, and none twice."""
    requests = wanting("a", "b", "c", most=2)
    assert requests.next() == Request("subscribe", ["a", "b"], 0)
    assert requests.next() == Request("subscribe", ["c"], 1)
    assert requests.next() is None


def test_it_is_settled_once_all_are_confirmed() -> None:
    """Not before the last answer."""
    requests = wanting("a", "b", most=1)
    requests.next()
    requests.next()
    assert requests.answered(0, is_done=True) == ["a"]
    assert not requests.is_settled
    assert requests.answered(1, is_done=True) == ["b"]
    assert requests.is_settled


def test_a_stream_that_was_refused_is_asked_for_when_it_is_wanted_again() -> None:
    """Not before: the exchange would refuse it as often as it is asked."""
    requests = wanting("a")
    requests.next()
    assert requests.answered(0, is_done=False) == ["a"]
    assert (requests.is_confirmed("a"), requests.next()) == (False, None)
    requests.wanted["a"] = None
    assert requests.next() == Request("subscribe", ["a"], 1)


def test_what_is_no_longer_wanted_is_ended() -> None:
    """A stream that is wanted again is asked for again."""
    requests = wanting("a")
    requests.next()
    requests.answered(0, is_done=True)
    requests.wanted.clear()
    assert requests.next() == Request("unsubscribe", ["a"], 1)
    assert not requests.is_confirmed("a")
    requests.wanted["a"] = None
    assert requests.next() == Request("subscribe", ["a"], 2)


def test_a_late_answer_confirms_nothing_that_was_ended() -> None:
    """It was given before the exchange ended the stream."""
    requests = wanting("a")
    requests.next()
    requests.wanted.clear()
    requests.next()
    requests.wanted["a"] = None
    requests.next()
    assert requests.answered(0, is_done=True) == []
    assert not requests.is_confirmed("a")
    assert requests.answered(2, is_done=True) == ["a"]


def test_a_stream_that_was_ended_begins_anew_even_if_it_is_wanted_again_at_once() -> None:
    """What may be mute is not gone on with; no other stream is concerned."""
    requests = wanting("a", "b")
    requests.next()
    requests.answered(0, is_done=True)
    requests.end("a")
    requests.wanted["a"] = None
    assert not requests.is_confirmed("a")
    assert requests.next() == Request("unsubscribe", ["a"], 1)
    assert requests.next() == Request("subscribe", ["a"], 2)
    assert requests.next() is None


def test_streams_of_a_request_have_something_in_common() -> None:
    """As topics of KuCoin's: those of another kind follow in a request of their own."""
    requests = StreamRequests(200, lambda stream: stream[0])
    requests.wanted.update(dict.fromkeys(("a1", "b1", "a2")))
    assert requests.next() == Request("subscribe", ["a1", "a2"], 0)
    assert requests.next() == Request("subscribe", ["b1"], 1)


def test_each_stream_of_a_refused_request_is_asked_for_by_itself() -> None:
    """One that the exchange has not does not take the others with it."""
    requests = wanting("a", "b")
    requests.next()
    assert requests.answered(0, is_done=False) == []
    assert [requests.next(), requests.next()] == [Request("subscribe", ["a"], 1), Request("subscribe", ["b"], 2)]
    assert requests.answered(1, is_done=False) == ["a"]
    assert requests.answered(2, is_done=True) == ["b"]
    assert requests.next() is None
