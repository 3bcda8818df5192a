"""The commands for keys and secrets, as a person runs them."""

import os
import subprocess
import sys

from millrace_core.names import Tenant
from millrace_service.encryption import decrypt, new_key, parse_key


def run(*arguments: str, key: str = "", secret: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with a key in its environment and a secret on its standard input."""
    command = [sys.executable, "-m", "millrace_service", *arguments]
    environ = os.environ | {"MILLRACE_SECRET_KEY": key}
    return subprocess.run(command, input=secret, env=environ, capture_output=True, text=True, timeout=30, check=False)


def test_a_new_key_encrypts_what_it_decrypts() -> None:
    """The key that one command prints encrypts in the other, and the result opens for that tenant."""
    key = run("new-key").stdout.strip()
    sealed = run("encrypt", "StrankaXY", key=key, secret="s3cret!\n").stdout.strip()
    assert decrypt(Tenant("StrankaXY"), sealed, parse_key(key)) == "s3cret!"


def test_what_is_missing_is_said() -> None:
    """Without a key or a secret, or with a bad tenant, only the advice is printed."""
    for refused, part in (
        (run("encrypt", "StrankaXY", secret="x"), "MILLRACE_SECRET_KEY"),
        (run("encrypt", "StrankaXY", key=new_key()), "empty"),
        (run("encrypt", "config", key=new_key(), secret="x"), "a tenant"),
    ):
        assert refused.returncode == 2
        assert refused.stdout == ""
        assert part in refused.stderr
