"""How commands fail."""

import pytest
import typer

from millrace_cli.running import plain_errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "no answer came in time"),
        (ConnectionResetError(), "ConnectionResetError"),
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "x.json"), "x.json: No such file or directory"),
    ],
)
def test_no_failure_is_without_words(error: OSError, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Some errors of the system have no text."""
    with pytest.raises(typer.Exit), plain_errors():
        raise error
    assert capsys.readouterr().err == f"millrace: {text}\n"
