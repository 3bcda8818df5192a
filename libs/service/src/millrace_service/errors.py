"""What can go wrong in a process's life.

MillraceError
├── ConfigInvalid      problems   (core) the configuration has mistakes; the last good one stays in force
├── SettingsInvalid               the environment or the command line; the process does not start
├── SecretUnreadable              an `enc:…` text that cannot be decrypted here
└── UnitEnded                     a unit's `run_unit` returned although nobody had told it to
"""

from millrace_core.errors import MillraceError


class SettingsInvalid(MillraceError):
    """The environment or the command line does not let the process start; the text says what to set."""


class SecretUnreadable(MillraceError):
    """An encrypted text cannot be read: no key, another key, another tenant, or it was damaged."""


class UnitEnded(MillraceError):
    """A unit's work came to an end by itself; units run until they are cancelled."""
