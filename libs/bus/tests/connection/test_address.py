"""Reading the URL of a Redis server."""

from pathlib import Path

import pytest

from millrace_bus.connection.address import Address
from millrace_core.errors import InvalidName


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", Address("localhost", 6379)),
        ("redis://127.0.0.1:7000/3", Address("127.0.0.1", 7000, db=3)),
        ("redis://:s%2Fp@h", Address("h", 6379, password="s/p")),
        ("rediss://ann:secret@h:1/0", Address("h", 1, user="ann", password="secret", tls=True)),
    ],
)
def test_a_url_is_read(url: str, address: Address) -> None:
    """Host, port, database, user, password and TLS come from the URL; escapes are undone."""
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis://",
        "redis://h/x",
        "redis://h:port",
        "h:6379",
        "rediss://h?ssl=no",
        "redis://h?ssl_ca_certs=f",
    ],
)
def test_another_form_is_refused(url: str) -> None:
    """The error says what would be right."""
    with pytest.raises(InvalidName, match="redis://"):
        Address.parse(url)


def test_no_password_is_shown() -> None:
    """Neither people's form nor an error holds it."""
    assert "secret" not in str(Address.parse("redis://:secret@h"))
    with pytest.raises(InvalidName) as caught:
        Address.parse("redis://:secret@h/x")
    assert "secret" not in str(caught.value)


def test_tls_checks_the_host() -> None:
    """`rediss` trusts the system's authorities and no other; `redis` uses no TLS."""
    context = Address.parse("rediss://h").tls_context()
    assert context is not None
    assert context.check_hostname
    assert Address.parse("redis://h").tls_context() is None


def test_a_ca_file_is_read_from_the_url_and_must_exist(tmp_path: Path) -> None:
    """A missing file is a mistake in the settings, not an outage that would be waited out."""
    file = tmp_path / "ca.pem"
    with pytest.raises(InvalidName, match="no file"):
        Address.parse(f"rediss://h?ssl_ca_certs={file}")
    file.touch()
    assert Address.parse(f"rediss://h?ssl_ca_certs={file}").ca_file == str(file)
