"""One client's hold on one stream: what it was sent, and what it missed because it was slow."""

from typing import TYPE_CHECKING

from millrace_api.live import messages
from millrace_core.ids import MessageId

if TYPE_CHECKING:
    from millrace_api.live.client import Client
    from millrace_api.live.topic import Topic


class Subscription:
    """A stream as one client gets it."""

    def __init__(self, client: "Client", topic: "Topic") -> None:
        self.topic = topic
        self._client = client
        self._is_live = False
        """Whether each message is handed on as it comes."""
        self._is_replaying = False
        """Whether older messages are being sent; live ones follow by themselves."""
        self.skipped = 0
        """Messages since the client fell behind."""

    @property
    def is_open(self) -> bool:
        """Tell whether the client still wants the stream."""
        return not self._client.is_closed and self._client.subscriptions.get(self.topic.name) is self

    def start(self) -> None:
        """Begin with the whole state, now or as soon as there is one."""
        if self.topic.is_ready:
            self.begin()

    def begin(self) -> None:
        """Send the whole state; live messages follow."""
        if self._is_replaying:
            return
        if self._client.is_full:
            self._skip()
            return
        if self.skipped:
            self._client.send(messages.note("skipped", self.topic.name, messages=self.skipped))
            self.skipped = 0
        self._is_live = True
        self._client.send(self.topic.beginning())

    def replay(self) -> None:
        """Older messages are being looked for, and sent, from now on."""
        self._is_replaying = True

    def resume(self, since: MessageId) -> bool:
        """Go on after a message that the client has; tell whether that is possible."""
        found = self.topic.after(since)
        if found is None:
            return False
        self._is_replaying = False
        self._is_live = True
        for message in found:
            self._client.send(message)
        self._client.send(messages.note("resumed", self.topic.name, self.topic.last))
        return True

    def give_up_replay(self) -> None:
        """Begin with the whole state after all."""
        self._is_replaying = False
        self.start()

    def hand(self, message: bytes) -> None:
        """Hand a message on, or note that the client is too slow for it."""
        if not self._is_live:
            if self.skipped:
                self._skip()
        elif self._client.is_full:
            self._skip()
        else:
            self._client.send(message)

    def catch_up(self) -> None:
        """The client reads again: give it the state that it missed the way to."""
        if self.skipped and self.topic.is_ready:
            self.begin()

    def _skip(self) -> None:
        self._is_live = False
        self.skipped += 1
        self._client.fell_behind(self)
