"""One recorded stream of a replay: moved on to the very message that its reader had taken. Pure."""

from collections import deque
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from millrace_backtest.errors import NotRecorded
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Message, Status
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of

KEPT_SNAPSHOTS: Final = 3
"""They come every minute. What an input names was read seconds before the input was written."""
KEPT_ANSWERS: Final = 10_000
_STATUS: Final = msgspec.json.Decoder(Status)


class Applied(NamedTuple):
    """A message, and its data as the state decoded it; None if that was not possible."""

    message: Message
    data: Any


class RecordedStream:
    """Holds what was recorded of a stream and not taken yet, and the state of what was."""

    def __init__(self, name: StreamName) -> None:
        self.name = name
        self.state: StreamState = state_of(name.action)
        self.market: MarketTerms | None = None
        """The terms of the stream's market, as the writer said them last."""
        self._at: MessageId | None = None
        self._newest = MessageId(0, 0)
        self._messages: deque[tuple[MessageId, Message]] = deque()
        self._snapshots: deque[tuple[MessageId, msgspec.Raw]] = deque()
        self._is_flawed = False

    def add(self, message: Message) -> None:
        """Take a recorded message."""
        place = message.message_id
        if place <= self._newest and self._messages and place <= self._messages[-1][0]:
            return  # Two recordings hold it.
        self._messages.append((place, message))
        self._newest = max(self._newest, place)
        if not self.name.has_snapshots and len(self._messages) > KEPT_ANSWERS:
            self._messages.popleft()

    def add_snapshot(self, message: Message) -> None:
        """Take a recorded snapshot; what only an old one reaches is dropped."""
        try:
            place = state_of(self.name.action).reset(message.data)
        except (InvalidMessage, InvalidName):
            return
        self._snapshots.append((place, message.data))
        self._newest = max(self._newest, place)
        if len(self._snapshots) > KEPT_SNAPSHOTS:
            self._snapshots.popleft()
            self._drop_to(self._snapshots[0][0])

    def is_known_to(self, place: MessageId) -> bool:
        """Tell whether the recording has come as far as a message."""
        return place <= self._newest or place == self._at

    def move(self, place: MessageId, *, is_message: bool) -> Applied | None:
        """Have the state include everything up to a message; return that message, if it was not included before.

        Raises:
            NotRecorded: messages are missing.
        """
        if place == self._at:
            return None
        if not self.name.has_snapshots:
            if is_message:
                return self._answer(place)
            self._at = place
            self._drop_to(place)
            return None
        if not self._can_go_on(place):
            self._begin_again(place)
        applied = None
        while self._at != place:
            applied = self._apply(*self._messages.popleft())
        return applied

    def _can_go_on(self, place: MessageId) -> bool:
        if self._at is None or self._is_flawed:
            return False
        self._drop_to(self._at)
        if self._messages and self._messages[0][0] == place:
            return place.follows(self._at)
        return self._reaches(self._at, place)

    def _begin_again(self, place: MessageId) -> None:
        """Begin at the newest snapshot from which the message can be reached."""
        for as_of_id, data in reversed(self._snapshots):
            if as_of_id <= place and self._reaches(as_of_id, place):
                self.state, self._at, self._is_flawed = state_of(self.name.action), as_of_id, False
                self.state.reset(data)
                self._drop_to(as_of_id)
                return
        raise NotRecorded(str(self.name), str(place))

    def _reaches(self, start: MessageId, place: MessageId) -> bool:
        """Tell whether all messages from one on to another are there."""
        if start.epoch != place.epoch:
            return False
        between = sum(1 for each, _ in self._messages if start < each <= place)
        return between == place.seq - start.seq

    def _apply(self, place: MessageId, message: Message) -> Applied:
        try:
            data = self._status(message) if message.type == "status" else self.state.apply(message.data)
            flaw = self.state.flaw()
        except InvalidMessage as error:
            data, flaw = None, str(error)
        self._at, self._is_flawed = place, flaw is not None
        return Applied(message, data)

    def _answer(self, place: MessageId) -> Applied:
        while self._messages:
            each, message = self._messages.popleft()
            if each == place:
                return self._apply(each, message)
        raise NotRecorded(str(self.name), str(place))

    def _drop_to(self, place: MessageId) -> None:
        while self._messages and self._messages[0][0] <= place:
            _, message = self._messages.popleft()
            if message.type == "status":
                with suppress(InvalidMessage):
                    self._status(message)

    def _status(self, message: Message) -> Status:
        try:
            status = _STATUS.decode(message.data)
        except UNREADABLE as error:
            raise InvalidMessage(()) from error
        self.market = status.market or self.market
        return status
