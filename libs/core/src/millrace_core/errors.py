"""What can go wrong in millrace's own terms.

MillraceError                  everything that we raise on purpose
├── InvalidName     text       a Redis name, tenant or id that protocol.md does not allow
├── InvalidMessage  problems   bytes that are no message of the protocol
├── MalformedRequest problems, parts   a request to trade that cannot be carried out as it stands
├── ConfigInvalid   problems   an agent's configuration with mistakes; all of them are listed
└── …                          each library roots its own tree here, in its own errors.py
"""

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    path: str
    """JSON path of the offending value, such as `$.workplans[0].assetPairs`."""
    message: str
    """What is wrong there, in words that say what would be right."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class MillraceError(Exception):
    """Root of every error that millrace raises on purpose."""


class InvalidName(MillraceError):
    """A tenant, agent id or Redis name is not of the protocol's form."""

    def __init__(self, text: str, wanted: str) -> None:
        super().__init__(f"{text!r} is not {wanted}")
        self.text = text


class ProblemsError(MillraceError):
    """Something that people or programs wrote has mistakes; `problems` lists every one found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class InvalidMessage(ProblemsError):
    """Bytes on a stream are no message of the protocol."""


class RequestParts(NamedTuple):
    """What could be read of a malformed request: enough to answer it where its sender looks."""

    action: str | None = None
    """One of the known actions; None otherwise."""
    exchange_id: str | None = None
    """The text that stands there, of whatever form; None if there is none."""
    symbol: str | None = None
    """The same; empty if something else than text stands there."""
    request_id: str | None = None
    order_source: str | None = None


class MalformedRequest(ProblemsError):
    """A request to trade cannot be carried out as it stands; nothing was done."""

    def __init__(self, problems: tuple[Problem, ...], parts: RequestParts) -> None:
        super().__init__(problems)
        self.parts = parts


class ConfigInvalid(ProblemsError):
    """An agent's configuration has mistakes; none of it was applied."""
