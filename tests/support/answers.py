"""Answers to requests, as a program without millrace's followers reads them."""

import msgspec

from millrace_core.messages import Response, decode


def final_answer(raw: bytes) -> Response | None:
    """Return the final answer that a message holds; None if it holds a provisional one, or is another message."""
    message = decode(raw)
    if message.type != "response":
        return None
    response = msgspec.json.decode(message.data, type=Response)
    return None if response.status == "unknown" else response
