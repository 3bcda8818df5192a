"""One finding of `millrace doctor`."""

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found of one thing."""

    subject: str
    level: Level
    text: str
    """What is so, or what is wrong and what follows from it."""
    mend: str | None = None
    """The command, or the setting, that mends it."""


def ok(subject: str, text: str) -> Finding:
    """Return a finding of something that is right."""
    return Finding(subject, "ok", text)


def warn(subject: str, text: str, mend: str) -> Finding:
    """Return a finding of something that should be mended."""
    return Finding(subject, "warn", text, mend)


def fail(subject: str, text: str, mend: str) -> Finding:
    """Return a finding of something that must be mended."""
    return Finding(subject, "fail", text, mend)
