"""What may be said of a stream's state, with a sign and a word, so that nothing old is taken for new."""

from millrace_console.display.text import html
from millrace_console.live import Stream

SILENT_MS = 10_000
"""A stream without a message for so long is dead, whatever its last status said (docs/protocol.md, "Readers")."""
_SIGNS = {
    "live": ("●", "up", "live"),
    "unverified": ("◐", "up", "live, unverified"),
    "starting": ("…", "muted", "starting"),
    "waiting": ("○", "warn", "no writer"),
    "stale": ("▲", "warn", "stale"),
    "silent": ("▲", "warn", "silent"),
    "refused": ("✖", "bad", "refused"),
    "away": ("✖", "bad", "not connected"),
}

RIGHT = ("live", "unverified")
"""Conditions in which a state may be shown as the present one."""


def condition_of(stream: Stream, now_ms: int) -> str:
    """Return the stream's condition; `silent` if it should be live and says nothing."""
    if stream.is_right and now_ms - stream.received_ms > SILENT_MS:
        return "silent"
    return stream.condition


def condition_html(condition: str, reason: str | None) -> str:
    """Return the condition as a badge."""
    sign, style, word = _SIGNS[condition]
    why = f' title="{html(reason)}"' if reason else ""
    return f'<span class="badge {style}"{why}>{sign} {word}</span>'


def old_html(condition: str, reason: str | None, content: str) -> str:
    """Return HTML of a state that may be old: faded, under a badge that says so."""
    return f'{condition_html(condition, reason)}<div class="old">{content}</div>'
