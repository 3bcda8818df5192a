"""Many message ids, column by column: thousands are handled at a time, and nearly all have the same epoch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self, overload

import msgspec

from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE


class MessageIds(Sequence[MessageId]):
    """A sequence of message ids."""

    __slots__ = ("epochs", "seqs")

    def __init__(self, epochs: Sequence[int], seqs: Sequence[int]) -> None:
        self.epochs, self.seqs = epochs, seqs

    @classmethod
    def of(cls, ids: Iterable[MessageId]) -> Self:
        """Return ids as columns."""
        pairs = list(ids)
        return cls([epoch for epoch, _ in pairs], [seq for _, seq in pairs])

    @classmethod
    def run(cls, first: MessageId, length: int) -> Self:
        """Return `length` ids of one epoch that follow one another."""
        return cls([first.epoch] * length, range(first.seq, first.seq + length))

    @classmethod
    def parse(cls, texts: Sequence[bytes]) -> Self:
        """Return the ids in texts; those of one epoch are read together, several times faster than one by one.

        Raises:
            InvalidName: one has another form.
        """
        if not texts:
            return cls([], [])
        epoch = texts[0].partition(b"-")[0]
        joined, prefix = b"," + b",".join(texts), b",%b-" % epoch
        seqs = joined.replace(prefix, b",")
        are_of_one_epoch = len(joined) - len(seqs) == len(texts) * (len(prefix) - 1) and b"-" not in seqs
        if not are_of_one_epoch or not epoch.isdigit():
            return cls.of(MessageId.parse(text.decode()) for text in texts)
        try:
            return cls([int(epoch)] * len(texts), _NUMBERS.decode(b"[%b]" % seqs[1:]))
        except UNREADABLE as error:
            raise InvalidName(b",".join(texts).decode(errors="replace"), "message ids: {epoch}-{seq}") from error

    @property
    def is_run(self) -> bool:
        """Tell whether each follows the one before it, without a gap."""
        if not self.seqs:
            return True
        if self.epochs.count(self.epochs[0]) < len(self.epochs):
            return False
        run = range(self.seqs[0], self.seqs[0] + len(self.seqs))
        return self.seqs == run or list(self.seqs) == list(run)

    @property
    def are_possible(self) -> bool:
        """Tell whether all `is_possible`."""
        return not self.seqs or MessageId(max(self.epochs), max(self.seqs)).is_possible

    @overload
    def __getitem__(self, at: int) -> MessageId: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> MessageId | Self:
        if isinstance(at, slice):
            return type(self)(self.epochs[at], self.seqs[at])
        return MessageId(self.epochs[at], self.seqs[at])

    def __iter__(self) -> Iterator[MessageId]:
        return map(MessageId, self.epochs, self.seqs)

    def __len__(self) -> int:
        return len(self.seqs)


_NUMBERS = msgspec.json.Decoder(list[int])
