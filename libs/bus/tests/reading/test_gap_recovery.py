"""The recovery against every order of loss, duplication, reordering, trimming, new epochs and a Redis that forgets."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millrace_bus.reading.gap_recovery import GapRecovery
from millrace_core.ids import MessageId
from millrace_core.messages import Message, Outgoing, Status, decode, encode
from millrace_core.names import Action
from millrace_core.states import EventsState, FieldsState, state_of
from millrace_core.trace import Trace

Entry = tuple[MessageId, bytes]


def _message(identity: MessageId, kind: Any, data: Any) -> bytes:
    return encode(Outgoing(str(identity), kind, None, Trace(), data))


class _World:
    """A writer, its journal, its snapshots and its channel; and the one reader."""

    def __init__(self, *, has_snapshots: bool) -> None:
        self.has_snapshots = has_snapshots
        self.at = MessageId(0, 0)
        self.truth: dict[str, int] = {}
        self.truths: dict[MessageId, dict[str, int]] = {}
        self.journal: list[Entry] = []
        self.kept: list[Entry] = []
        self.snapshots: list[tuple[MessageId, bytes]] = []
        self.updates: list[tuple[str, MessageId | None]] = []
        self.reader = GapRecovery(
            lambda: state_of(Action("watchTicker" if has_snapshots else "createOrder")),
            lambda kind, identity, data, message: self.updates.append((kind, identity)),
            has_snapshots=has_snapshots,
        )

    def open_epoch(self, epoch: int | None = None) -> Entry:
        self.at = MessageId(self.at.epoch + 1 if epoch is None else epoch, 0)
        self.kept = []
        self.truths[self.at] = dict(self.truth)
        self.snapshot()
        return self.write("status", Status("live"))

    def write(self, kind: str, data: Any) -> Entry:
        self.at = MessageId(self.at.epoch, self.at.seq + 1)
        if kind == "delta" and isinstance(data, dict):
            self.truth.update(data)
        self.truths[self.at] = dict(self.truth)
        entry = (self.at, _message(self.at, kind, data))
        self.journal.append(entry)
        self.kept.append(entry)
        return entry

    def snapshot(self) -> None:
        if self.has_snapshots:
            body = _message(MessageId(self.at.epoch, 1), "snapshot", {**self.truth, "asOf": str(self.at)})
            self.snapshots.append((self.at, body))

    def empty(self) -> None:
        """Redis loses everything, and its connections stay."""
        self.journal, self.snapshots = [], []

    def forget(self, entries: int) -> None:
        """Redis loses the newest entries, and the snapshots that were written after them."""
        if entries:
            lost, self.journal = self.journal[-entries:], self.journal[:-entries]
            if lost:
                self.snapshots = [snapshot for snapshot in self.snapshots if snapshot[0] < lost[0][0]]

    def resend(self) -> list[Entry]:
        """The writer writes again what Redis lost of its epoch, then speaks."""
        newest = self.journal[-1][0] if self.journal else MessageId(0, 0)
        missing = [entry for entry in self.kept if entry[0] > newest]
        self.journal += missing
        self.snapshot()
        return [*missing, self.write("status", Status("live"))]

    def hear(self, entry: Entry) -> None:
        self.reader.on_message(entry[0], decode(entry[1]))

    def read(self, page: int) -> None:
        """Do the one reading that the reader needs now."""
        need = self.reader.need
        if need is None:
            return
        if need.what == "snapshot":
            newest: Message | None = decode(self.snapshots[-1][1]) if self.snapshots else None
            self.reader.took_snapshot(need, newest)
        elif need.what == "newest":
            self.reader.took_newest(need, self.journal[-1][0] if self.journal else None)
        else:
            found = [entry for entry in self.journal if entry[0] >= need.at][:page]
            self.reader.took_journal(need, found, is_end=len(found) < page)

    def read_all(self) -> None:
        for _ in range(1_000):
            if self.reader.need is None:
                return
            self.read(page=7)
        pytest.fail("the reader reads for ever")


class Readers(RuleBasedStateMachine):
    """A reader of a state, between a channel that loses and a journal that is trimmed or forgets."""

    @initialize()
    def begin(self) -> None:
        """Nothing is there yet."""
        self.world = _World(has_snapshots=True)
        self.hearing = False
        self.channel: list[Entry] = []
        self.sent: list[Entry] = []

    def _send(self, *entries: Entry) -> None:
        self.sent += entries
        if self.hearing:
            self.channel += entries

    @rule()
    def a_writer_opens(self) -> None:
        """A writer opens."""
        self._send(self.world.open_epoch(None if self.world.truths else 100_000))

    @precondition(lambda self: self.world.at.epoch)
    @rule(key=st.sampled_from("abc"), value=st.integers(0, 9))
    def a_delta_is_written(self, key: str, value: int) -> None:
        """A delta is written."""
        self._send(self.world.write("delta", {key: value}))

    @precondition(lambda self: self.world.at.epoch)
    @rule()
    def a_snapshot_is_written(self) -> None:
        """A snapshot is written."""
        self.world.snapshot()

    @precondition(lambda self: self.channel)
    @rule()
    def the_channel_delivers(self) -> None:
        """The channel delivers."""
        self.world.hear(self.channel.pop(0))

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def the_channel_loses_one(self, data: st.DataObject) -> None:
        """The channel loses one."""
        self.channel.pop(data.draw(st.integers(0, len(self.channel) - 1)))

    @precondition(lambda self: self.sent and self.hearing)
    @rule(data=st.data())
    def an_old_message_comes_again(self, data: st.DataObject) -> None:
        """An old message comes again."""
        self.channel.append(data.draw(st.sampled_from(self.sent)))

    @precondition(lambda self: self.hearing)
    @rule(epochs=st.integers(0, 2), seqs=st.integers(10_000, 10_009))
    def a_stranger_claims_what_nobody_wrote(self, epochs: int, seqs: int) -> None:
        """A stranger publishes on the channel alone."""
        claimed = MessageId(self.world.at.epoch + 100 * epochs, self.world.at.seq + seqs)
        self.channel.append((claimed, _message(claimed, "delta", {"a": 99})))

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def the_channel_is_shuffled(self, data: st.DataObject) -> None:
        """The channel is shuffled."""
        self.channel = data.draw(st.permutations(self.channel))

    @precondition(lambda self: self.world.reader.need is not None)
    @rule(page=st.integers(2, 4))
    def the_reader_reads(self, page: int) -> None:
        """The reader reads."""
        self.world.read(page)

    @rule(keep=st.integers(0, 5))
    def the_journal_is_trimmed(self, keep: int) -> None:
        """The journal is trimmed."""
        self.world.journal = self.world.journal[-keep:] if keep else []

    @rule()
    def the_reader_is_cut_off(self) -> None:
        """The reader is cut off."""
        self.hearing = False
        self.channel.clear()
        self.world.reader.disconnected()

    @precondition(lambda self: not self.hearing)
    @rule()
    def the_reader_returns(self) -> None:
        """The reader returns."""
        self.hearing = True
        self.world.reader.subscribed()

    @precondition(lambda self: self.world.at.epoch)
    @rule()
    def redis_is_emptied_and_a_clock_is_behind(self) -> None:
        """Redis is emptied, and the next writer's epoch is below all that there were."""
        self.world.empty()
        self._send(self.world.open_epoch(min(self.world.truths).epoch - 100))

    @precondition(lambda self: self.world.at.epoch)
    @rule(entries=st.integers(0, 6), is_kept=st.booleans())
    def redis_dies_and_forgets(self, entries: int, is_kept: bool) -> None:
        """Redis dies and forgets."""
        self.the_reader_is_cut_off()
        self.world.forget(entries)
        self._send(*(self.world.resend() if is_kept else [self.world.open_epoch()]))

    @invariant()
    def what_is_trusted_is_true(self) -> None:
        """A state that is called good is the one that the writer had at that message."""
        reader = self.world.reader
        if reader.trusted:
            assert isinstance(reader.state, FieldsState)
            assert reader.last is not None
            assert reader.state.fields == self.world.truths[reader.last]

    def teardown(self) -> None:
        """Once all is well again, the reader is right with no more than the next message and its reading."""
        if not self.hearing:
            self.world.reader.subscribed()
        for entry in self.channel:
            self.world.hear(entry)
        if not self.world.at.epoch:
            return
        self.world.snapshot()
        self.world.hear(self.world.write("status", Status("live")))
        self.world.read_all()
        assert self.world.reader.trusted
        assert self.world.reader.last == self.world.at
        self.what_is_trusted_is_true()


Readers.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestReaders = Readers.TestCase


@given(st.lists(st.sampled_from(["hear", "lose", "cut", "epoch", "read", "trim"]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_answer_is_missed_silently_or_comes_twice(steps: list[str]) -> None:
    """Every answer from the start on comes once and in order, or a snapshot's id shows that it does not come."""
    world = _World(has_snapshots=False)
    world.reader.subscribed()
    world.read_all()
    first = world.open_epoch()
    if "trim" in steps:
        # Of a stream that began while the reader was away nothing tells whether its first epoch is the first.
        world.hear(first)
        world.read_all()
    for step in steps:
        if step == "read":
            world.read(page=3)
        elif step == "trim":
            world.journal = world.journal[-2:]
        elif step == "cut":
            world.reader.disconnected()
            world.write("response", {})
            world.reader.subscribed()
        else:
            entry = world.open_epoch() if step == "epoch" else world.write("response", {})
            if step != "lose":
                world.hear(entry)
    world.hear(world.write("status", Status("live")))
    world.read_all()
    assert world.reader.trusted
    written = [identity for identity in world.truths if identity.seq]
    _check_shown(world.updates, written)
    if "trim" not in steps:
        assert [identity for kind, identity in world.updates if kind in ("response", "status")] == written


def _check_shown(updates: list[tuple[str, MessageId | None]], written: list[MessageId]) -> None:
    """Check that what was written came in order, each once, but for what a snapshot said does not come."""
    due = written.copy()
    for kind, identity in updates:
        if kind == "snapshot":
            due = [each for each in due if identity is None or each > identity]
        elif kind != "untrusted":
            assert identity == due.pop(0)
    assert not due


def test_trimmed_answers_are_reported() -> None:
    """A snapshot says up to where they are missed; then the oldest that are left come, and count as no mended gap."""
    world = _World(has_snapshots=False)
    world.open_epoch()
    world.reader.subscribed()
    world.read_all()
    world.updates.clear()
    for _ in range(4):
        last = world.write("response", {})
    del world.journal[:-2]
    world.hear(last)
    world.read_all()
    assert [(kind, identity and identity.seq) for kind, identity in world.updates] == [
        ("untrusted", 1),
        ("snapshot", 3),
        ("response", 4),
        ("response", 5),
        ("snapshot", 5),
    ]
    assert (world.reader.counters.resyncs, world.reader.counters.recoveries) == (1, 0)


def _started() -> _World:
    world = _World(has_snapshots=True)
    world.open_epoch()
    world.reader.subscribed()
    world.read_all()
    return world


def test_a_late_reader_learns_the_state_and_not_its_history() -> None:
    """What a snapshot and the journal hold comes as one snapshot, not message by message."""
    world = _World(has_snapshots=True)
    world.open_epoch()
    world.write("delta", {"a": 1})
    world.reader.subscribed()
    world.read_all()
    assert world.updates == [("snapshot", world.at)]


def test_a_filled_gap_comes_message_by_message() -> None:
    """The reader is untrusted once, then gets each message of the gap in order, then is trusted again."""
    world = _started()
    lost, last = world.write("delta", {"a": 1}), world.write("delta", {"a": 2})
    world.updates.clear()
    world.hear(last)
    world.read_all()
    assert [kind for kind, _ in world.updates] == ["untrusted", "delta", "delta", "snapshot"]
    assert [identity for _, identity in world.updates][1:3] == [lost[0], last[0]]
    assert (world.reader.counters.gaps, world.reader.counters.recoveries) == (1, 1)


def test_a_lost_tail_is_waited_for() -> None:
    """A reader that has more than the journal stays untrusted until the writer has written it again."""
    world = _started()
    world.hear(world.write("delta", {"a": 1}))
    world.reader.disconnected()
    world.forget(1)
    world.reader.subscribed()
    world.read_all()
    assert not world.reader.trusted
    for entry in world.resend():
        world.hear(entry)
    world.read_all()
    assert world.reader.trusted


def test_a_flaw_starts_again_at_the_snapshot() -> None:
    """A message that makes the state provably wrong is not shown; the reader starts again at the next snapshot."""
    world = _started()
    world.updates.clear()
    world.hear(world.write("delta", [1]))
    assert [kind for kind, _ in world.updates] == ["untrusted"]
    world.snapshot()
    world.read_all()
    assert world.reader.trusted
    assert world.reader.counters.resyncs == 1


def test_a_stale_writer_is_ignored() -> None:
    """Messages of an older epoch, whose journal entries Redis refused, change nothing; the journal shows that."""
    world = _started()
    updates = world.updates.copy()
    old = MessageId(world.at.epoch - 1, 99)
    world.hear((old, _message(old, "delta", {"a": 666})))
    world.read_all()
    assert world.reader.trusted
    assert world.updates == updates
    assert world.reader.counters.duplicates == 1


@pytest.mark.parametrize("has_snapshots", [True, False])
def test_an_emptied_journal_of_an_older_epoch_is_begun_anew(has_snapshots: bool) -> None:
    """The reader is not trusted as it was: it shows the new state, or the answers from the oldest on, and says so."""
    world = _World(has_snapshots=has_snapshots)
    world.open_epoch(9)
    world.reader.subscribed()
    world.read_all()
    world.updates.clear()
    world.empty()
    first = world.open_epoch(5)
    world.hear(world.write("delta" if has_snapshots else "response", {"a": 1}))
    world.read_all()
    expected: list[tuple[str, MessageId | None]] = [("untrusted", MessageId(9, 1)), ("snapshot", world.at)]
    if not has_snapshots:
        expected[1:1] = [("snapshot", None), ("status", first[0]), ("response", world.at)]
    assert world.updates == expected
    assert (world.reader.trusted, world.reader.counters.resyncs) == (True, 1)


def test_a_question_about_an_older_epoch_settles_no_other_doubt() -> None:
    """What was heard of the reader's own epoch, and not shown by the journal, leaves the reader untrusted."""
    world = _started()
    world.hear(world.open_epoch())
    world.read_all()
    refused, late = MessageId(world.at.epoch, 900), MessageId(world.at.epoch - 1, 99)
    for claimed in (refused, late):
        world.hear((claimed, _message(claimed, "delta", {"a": 99})))
    world.read_all()
    assert not world.reader.trusted
    world.hear(world.write("delta", {"a": 1}))
    assert world.reader.trusted


@pytest.mark.parametrize("claimed", [MessageId(94_668_825_600_000, 1), MessageId(1, 900)])
def test_what_only_the_channel_claims_is_not_believed(claimed: MessageId) -> None:
    """A stranger's epoch of the year 4970, or a gap that nobody made: the next message of the writer is applied."""
    world = _started()
    world.hear((claimed, _message(claimed, "delta", {"a": 99})))
    world.read_all()
    assert world.reader.trusted == (claimed.epoch > 1)
    world.hear(world.write("delta", {"a": 1}))
    assert world.reader.trusted
    assert world.reader.last == world.at
    assert isinstance(world.reader.state, FieldsState)
    assert world.reader.state.fields == {"a": 1}
    assert world.reader.counters.unproven == 1


def test_entries_that_no_writer_has_are_passed_over() -> None:
    """Somebody wrote behind the journal's end, where no message can stand: the reader goes on with the channel."""
    world = _started()
    foreign = MessageId(2**63, 1)
    world.journal += [(MessageId(2**63, n), b"x") for n in range(20)]
    world.reader.disconnected()
    world.reader.subscribed()
    world.read_all()
    assert world.reader.trusted
    assert world.reader.last is not None
    assert world.reader.last < foreign


def test_an_answer_to_an_old_question_is_ignored() -> None:
    """What was read before the connection was lost does not count after it."""
    world = _World(has_snapshots=True)
    world.open_epoch()
    world.reader.subscribed()
    need = world.reader.need
    assert need is not None
    world.reader.disconnected()
    world.reader.subscribed()
    world.reader.took_snapshot(need, decode(world.snapshots[-1][1]))
    assert world.reader.need is not None
    assert world.reader.need.what == "snapshot"


def test_a_broken_answer_is_passed_over() -> None:
    """An entry that is no message is counted; the answers around it come."""
    world = _World(has_snapshots=False)
    world.reader.subscribed()
    world.read_all()
    world.open_epoch()
    world.at = MessageId(world.at.epoch, world.at.seq + 1)
    world.journal.append((world.at, b"rubbish"))
    world.hear(world.write("response", {}))
    world.read_all()
    assert [kind for kind, _ in world.updates if kind != "untrusted"][-2:] == ["response", "snapshot"]
    assert world.reader.counters.malformed == 1
    assert isinstance(world.reader.state, EventsState)


def test_the_status_is_what_the_writer_last_said() -> None:
    """A status in the stream is remembered; a stream that merely speaks is live."""
    world = _started()
    world.hear(world.write("status", Status("stale", "exchange is silent")))
    assert world.reader.said == "stale"
    assert json.loads(msgspec.json.encode(world.reader.counters))["messages"] == 2
