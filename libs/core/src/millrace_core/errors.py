"""The errors that millrace raises on purpose.

MillraceError                  root of all
├── InvalidName     text       a Redis name, tenant or id that protocol.md does not allow
├── InvalidMessage  problems   bytes that are not a message of the protocol
├── MalformedRequest problems, parts   a request to trade that cannot be carried out as it stands
├── ConfigInvalid   problems   an agent's configuration has mistakes
└── …                          each library has its own tree, in its errors.py
"""

from typing import NamedTuple


class Problem(NamedTuple):
    """One mistake, and its place."""

    path: str
    """JSON path of the offending value, such as `$.workplans[0].assetPairs`."""
    message: str
    """What is wrong, and what is expected."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class MillraceError(Exception):
    """Root of every error that millrace raises on purpose."""

    retry_after_ms: int = 0
    """How long to wait at least before trying again; 0 if nobody asked for a pause."""

    @property
    def retry_after_s(self) -> float:
        """Return the same in seconds."""
        return self.retry_after_ms / 1000


class InvalidName(MillraceError):
    """A tenant, agent id or Redis name does not have the protocol's form."""

    def __init__(self, text: str, wanted: str) -> None:
        super().__init__(f"{text!r} is not {wanted}")
        self.text = text
        self.wanted = wanted
        """What it should be."""


class ProblemsError(MillraceError):
    """A text that a person or a program wrote has mistakes; `problems` lists all that were found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class InvalidMessage(ProblemsError):
    """Bytes on a stream are not a message of the protocol."""


class RequestParts(NamedTuple):
    """What could be read of a malformed request: enough to answer it where its sender looks."""

    action: str | None = None
    """One of the known actions, or None."""
    exchange_id: str | None = None
    """The text of the field, even in a wrong form; None if it has no text."""
    symbol: str | None = None
    """As `exchange_id`, but empty if the field holds something other than text."""
    request_id: str | None = None
    order_source: str | None = None


class MalformedRequest(ProblemsError):
    """A request to trade cannot be carried out as it stands; nothing was done."""

    def __init__(self, problems: tuple[Problem, ...], parts: RequestParts) -> None:
        super().__init__(problems)
        self.parts = parts


class ConfigInvalid(ProblemsError):
    """An agent's configuration has mistakes; none of it was applied."""
