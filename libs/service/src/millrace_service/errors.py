"""What can go wrong in a process's life.

MillraceError
├── ConfigInvalid      problems   (core) the configuration has mistakes; the last good one stays in force
├── SettingsInvalid               the environment or the command line; the process does not start
├── SecretUnreadable              an `enc:…` text that cannot be decrypted here
├── UnitEnded                     a unit's `run_unit` returned although nobody had told it to
└── CancelledInside    coroutine  something within a task cancelled it, which nobody outside asked for
"""

from millrace_core.errors import MillraceError


class SettingsInvalid(MillraceError):
    """The environment or the command line does not let the process start; the text says what to set."""


class SecretUnreadable(MillraceError):
    """An encrypted text cannot be read: no key, another key, another tenant, or it was damaged."""


class UnitEnded(MillraceError):
    """A unit's work came to an end by itself; units run until they are cancelled."""


class CancelledInside(MillraceError):
    """A task was cancelled by something within it: a failure, since nobody outside asked for its end."""

    def __init__(self, coroutine: str) -> None:
        super().__init__(f"{coroutine} was cancelled by something within it")
        self.coroutine = coroutine


def describe(error: BaseException) -> str:
    """Return an error in one line, with its class: many say nothing else."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_of(error: BaseException) -> BaseException | None:
    """Return what a log line shall show the traceback of.

    Our own errors say all in their text; where they were raised helps nobody who reads the log.
    """
    return None if isinstance(error, MillraceError) else error
