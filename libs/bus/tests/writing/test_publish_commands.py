"""The pipeline of one message."""

from hiredis import Reader

from millrace_bus.reading.journal_page import entry_body, entry_message_id
from millrace_bus.writing.publish_commands import PublishCommands
from millrace_core.ids import MessageId


def _commands(packed: bytes) -> list[list[bytes]]:
    reader = Reader()
    reader.feed(packed)
    commands = []
    while (command := reader.gets()) is not False:
        commands.append(command)
    return commands


def test_a_message_is_written_to_journal_and_channel() -> None:
    """XADD under its own id, then PUBLISH, with the same bytes; trimming is approximate unless exact is asked."""
    body = "{…}".encode()
    assert _commands(PublishCommands("s", retention=10).write("5-1", body)) == [
        [b"XADD", b"s", b"MAXLEN", b"~", b"10", b"5-1", b"data", body],
        [b"PUBLISH", b"s", body],
    ]
    assert _commands(PublishCommands("s", retention=2, exact=True).write("5-2", b""))[0][2:6] == [
        b"MAXLEN",
        b"=",
        b"2",
        b"5-2",
    ]


def test_an_entry_is_read_back() -> None:
    """The body stands in the field `data`, wherever that is; entries of others have none."""
    assert entry_body([b"x", b"y", b"data", b"body"]) == b"body"
    assert entry_body([b"x", b"y"]) is None
    assert entry_body(None) is None
    assert entry_message_id(b"5-1") == MessageId(5, 1)
    assert entry_message_id(b"five") is None
