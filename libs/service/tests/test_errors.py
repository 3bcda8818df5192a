"""Errors as text."""

from millrace_core.errors import MillraceError
from millrace_service.errors import describe, traceback_of


def test_an_error_without_text_still_says_its_class() -> None:
    """Errors such as TimeoutError often have no text of their own."""
    assert describe(TimeoutError()) == "TimeoutError"


def test_an_error_is_described_in_one_line() -> None:
    """A message of several lines becomes one."""
    assert describe(ValueError("a\n  b")) == "ValueError: a b"


def test_only_foreign_errors_show_where_they_were_raised() -> None:
    """Our own errors need no traceback; any other one is a surprise and does."""
    surprise = KeyError("x")
    assert traceback_of(surprise) is surprise
    assert traceback_of(MillraceError("said it all")) is None
