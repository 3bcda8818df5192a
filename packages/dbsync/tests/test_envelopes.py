"""When a message was published, by its trace."""

import json

import msgspec
import pytest

from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.messages import decode
from millrace_dbsync.decoding.envelopes import place_of, read

ID = MessageId(1_763_800_000_000, 42)
MS = 1_000_000


@pytest.mark.parametrize(
    ("trace", "at_ms"),
    [
        ({"received": 1_763_800_001_000 * MS, "published": 1_763_800_001_002 * MS}, 1_763_800_001_002),
        ({"published": 1_763_800_001_002 * MS, "accepted": 1_763_800_001_005 * MS}, 1_763_800_001_005),
        ({"accepted": 1_763_800_002_000 * MS}, 1_763_800_002_000),
        ({"accepted": 1, "sent": 2, "acknowledged": 1_763_800_003_000 * MS}, 1_763_800_003_000),
        ({}, ID.epoch),
    ],
)
def test_a_message_is_placed_by_the_last_that_is_known_of_it(trace: dict[str, int], at_ms: int) -> None:
    """A delta by its publication, an answer by what the executor did last, also where no tick caused it."""
    message = {"id": str(ID), "type": "response", "timestamp": None, "trace": trace, "data": {}}
    assert place_of("stream.A.kucoin.createOrder.KCS/USDT", ID, decode(json.dumps(message).encode())).at_ms == at_ms


DEEP = b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"


def test_a_message_that_is_nested_too_deep_is_invalid() -> None:
    """It becomes a dead letter, and stops no journal."""
    with pytest.raises(InvalidMessage):
        read(msgspec.json.Decoder(dict[str, object]), DEEP)
