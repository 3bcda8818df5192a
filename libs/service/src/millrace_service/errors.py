"""The errors of a service's process.

MillraceError
├── ConfigInvalid      problems   (core) the configuration has mistakes; the last good one stays in force
├── SettingsInvalid               a setting is missing or wrong; the process does not start
├── SecretUnreadable              an `enc:…` text that cannot be decrypted here
├── UnitEnded                     a unit's work ended by itself
└── CancelledInside    coroutine  a task was cancelled from inside
"""

from millrace_core.errors import MillraceError


class SettingsInvalid(MillraceError):
    """A setting in the environment or on the command line is missing or wrong; the text says what to set."""


class SecretUnreadable(MillraceError):
    """An encrypted text cannot be decrypted: there is no key, or the key, the tenant or the text is wrong."""


class UnitEnded(MillraceError):
    """A unit's work ended by itself; it should run until it is cancelled."""


class CancelledInside(MillraceError):
    """A task was cancelled from inside, which counts as a failure."""

    def __init__(self, coroutine: str) -> None:
        super().__init__(f"{coroutine} was cancelled from inside")
        self.coroutine = coroutine


def describe(error: BaseException) -> str:
    """Return an error in one line, with its class: many say nothing else."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_of(error: BaseException) -> BaseException | None:
    """Return the error if a log line is to show its traceback.

    The text of our own errors says everything; a traceback would not help the reader.
    """
    return None if isinstance(error, MillraceError) else error
