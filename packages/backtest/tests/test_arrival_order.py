"""The order among streams is that of the channels; every entry is released once, in its journal's order."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_backtest.recording.arrival_order import PATIENCE_NS, ArrivalOrder

_MESSAGES = st.lists(st.sampled_from("abc"), max_size=30)


@given(sent=_MESSAGES, data=st.data())
def test_entries_are_released_in_the_order_of_the_channels(sent: list[str], data: st.DataObject) -> None:
    """However what is received and what is read interleave, and whichever messages are not received."""
    messages = [(name, str(sent[:index].count(name))) for index, name in enumerate(sent)]
    received = [data.draw(st.booleans()) for _ in messages]
    order, at_ns, released = ArrivalOrder(), 0, []
    to_receive = [message for message, was_received in zip(messages, received, strict=True) if was_received]
    to_read = {name: [message for message in messages if message[0] == name] for name in "abc"}
    while to_receive or any(to_read.values()):
        at_ns += 1_000
        turns = [name for name, waiting in to_read.items() if waiting] + (["receive"] if to_receive else [])
        turn = data.draw(st.sampled_from(turns))
        if turn == "receive":
            order.received(*to_receive.pop(0), at_ns)
        else:
            order.read(*to_read[turn].pop(0), b"{}", at_ns)
        released += list(order.release(at_ns))
    released += list(order.release_all(at_ns))
    found = [(placed.name, placed.id) for placed in released]
    assert sorted(found) == sorted(messages)
    for name in "abc":
        assert [entry for of, entry in found if of == name] == [entry for of, entry in messages if of == name]
    assert [message for message in found if message in to_receive or _was_received(message, messages, received)] == [
        message for message, was_received in zip(messages, received, strict=True) if was_received
    ]
    times = [placed.at_ns for placed in released]
    assert times == sorted(times)


def _was_received(message: tuple[str, str], messages: list[tuple[str, str]], received: list[bool]) -> bool:
    return received[messages.index(message)]


def test_what_only_a_channel_carried_holds_nothing_up() -> None:
    """A message that its journal refused is forgotten after a while; until then what follows waits for it."""
    order = ArrivalOrder()
    order.received("a", "1", 1)
    order.received("b", "1", 2)
    order.read("b", "1", b"{}", 3)
    assert list(order.release(4)) == []
    assert [placed.name for placed in order.release(4 + PATIENCE_NS)] == ["b"]


def test_a_message_that_was_not_received_does_not_wait_for_ever() -> None:
    """It is placed when its patience is over."""
    order = ArrivalOrder()
    order.read("a", "1", b"{}", 1)
    assert list(order.release(2)) == []
    assert order.waiting == 1
    assert [placed.at_ns for placed in order.release(1 + PATIENCE_NS)] == [1 + PATIENCE_NS]
