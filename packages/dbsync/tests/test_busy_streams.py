import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace_bus import JournalPage
from millrace_core.ids import MessageId
from millrace_dbsync.handling.busy_streams import BusyBookHandler
from millrace_dbsync.handling.handler import HandlingResult, dead_letter
from millrace_dbsync.handling.handlers import handler_of
from millrace_store import Batch
from millrace_store.schema import tables

NAME = "stream.Ann.binance.watchOrderBook.KCS/USDT"
EPOCH = 1763800000000
BOOK = {"bids": [[10.0, 3.5]], "asks": [], "nonce": 7}


def body(seq: int, **changes: Any) -> bytes:
    trace = {"exchange": EPOCH * 10**6, "received": EPOCH * 10**6 + 5, "published": EPOCH * 10**6 + 9}
    message = {"id": f"{EPOCH}-{seq}", "type": "delta", "timestamp": EPOCH, "trace": trace, "data": BOOK}
    return json.dumps(message | changes, ensure_ascii=False).encode()


def page_of(bodies: list[bytes | None]) -> JournalPage:
    return JournalPage([b"%d-%d" % (EPOCH, seq) for seq in range(1, len(bodies) + 1)], bodies)


FORMS = {
    "plain": lambda seq: body(seq),
    "status": lambda seq: body(seq, type="status", data={"status": "live"}),
    "no JSON": lambda seq: b"{",
    "no body": lambda seq: None,
    "not ASCII": lambda seq: body(seq, data={**BOOK, "note": "ü"}),
    "no level": lambda seq: body(seq, data={"bids": [["much"]], "asks": []}),
    "another's id": lambda seq: body(seq + 1),
    "never published": lambda seq: body(seq, trace={}),
    "from the future": lambda seq: body(seq, timestamp=2**70),
    "half a message": lambda seq: body(seq)[:-1] + b",",
}


class Remembering:
    """A handler that remembers what came to it."""

    def __init__(self) -> None:
        self.ids: list[MessageId] = []

    def handle(self, batch: Batch, page: JournalPage, result: HandlingResult) -> None:
        """Take a page."""
        for entry in page:
            self.ids.append(entry.id)
            dead_letter(batch, NAME, entry, "for the test", result)


@given(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=120))
def test_whatever_a_page_holds_every_entry_is_added_once_and_in_order(forms: list[str]) -> None:
    """Each entry leaves one row, of the kind that it leaves when it comes alone."""
    page = page_of([FORMS[form](seq) for seq, form in enumerate(forms, 1)])
    together, alone = Batch(), Batch()
    handler_of(NAME).handle(together, page, HandlingResult())
    for at in range(len(page)):
        handler_of(NAME).handle(alone, page[at : at + 1], HandlingResult())
    assert together.written[NAME].runs == [(EPOCH, 1, len(page))]
    assert together.duplicates == 0
    rows_together, rows_alone = together.all_rows(), alone.all_rows()
    assert rows_together.keys() == rows_alone.keys()
    for table in rows_alone.keys() - {tables.dead_letters}:
        assert sorted(rows_together[table]) == sorted(rows_alone[table])
    assert len(rows_together.get(tables.dead_letters, [])) == len(rows_alone.get(tables.dead_letters, []))


def test_only_changes_of_books_in_one_line_are_handled_together() -> None:
    """Messages over several lines, and what is no book, are read in another way; the order of fields means nothing."""
    message = json.loads(body(1))
    first = json.dumps({"data": message.pop("data"), **message}).encode()
    indented = json.dumps(json.loads(body(2)), indent=1).encode()
    page = page_of([first, indented, body(3, data={**BOOK, "nonce": 1.5}), body(4, data={"bids": [[1.0]], "asks": []})])
    rest, batch = Remembering(), Batch()
    handler = BusyBookHandler(NAME, rest)
    for at in range(len(page)):
        handler.handle(batch, page[at : at + 1], HandlingResult())
    assert rest.ids == list(page.ids)[1:]
    assert batch.all_rows()[tables.book_deltas].lists[-1] == [json.dumps(BOOK)]


def test_plain_pages_do_not_go_the_common_way() -> None:
    """Of many plain messages with one that is not, only few go the slow way."""
    rest, result = Remembering(), HandlingResult()
    page = page_of([body(seq) for seq in range(1, 1_001)])
    page.bodies[500] = b"{"
    BusyBookHandler(NAME, rest).handle(Batch(), page, result)
    assert page.ids[500] in rest.ids
    assert len(rest.ids) <= 16


def test_latencies_are_noted() -> None:
    """What was added a page at a time counts in the latencies as well."""
    batch, result = Batch(), HandlingResult()
    page = page_of([body(seq) for seq in range(1, 11)])
    handler_of(NAME).handle(batch, page, result)
    result.times.put(batch)
    assert {(one.hop, one.histogram.count) for one in batch.latencies} == {
        ("exchange→received", 10),
        ("received→published", 10),
    }
