"""The commands `millrace secrets …`."""

import getpass
import json
import os
import sys
from typing import Any

import typer

from millrace_cli.options import AsJson, RedisUrl, TenantArgument
from millrace_cli.running import CommandFailed, plain_errors, run_short
from millrace_cli.secrets.rotation import rotate
from millrace_service.encryption import encrypt, new_key
from millrace_service.settings import DEFAULT_REDIS_URL, read_secret_key


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    secrets = typer.Typer(no_args_is_help=True, help="Keys, and the secrets in configurations that they encrypt.")
    app.add_typer(secrets, name="secrets")
    _add_keygen(secrets)
    _add_encrypt(secrets)
    _add_rotate(secrets)


def _add_keygen(app: typer.Typer) -> None:
    @app.command("keygen")
    def keygen_command(as_json: AsJson = False) -> None:
        """Print a new key for MILLRACE_SECRET_KEY; it is stored nowhere.

        Example: export MILLRACE_SECRET_KEY=$(millrace secrets keygen)
        """
        _print({"key": new_key()}, as_json=as_json)


def _add_encrypt(app: typer.Typer) -> None:
    @app.command("encrypt")
    def encrypt_command(tenant: TenantArgument, as_json: AsJson = False) -> None:
        """Print the enc:… form of a secret, which is asked for, or read from standard input.

        Example: millrace secrets encrypt StrankaXY < secret.txt
        """
        with plain_errors(as_json=as_json):
            keys = secret_keys()
            secret = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\r\n")
            if not secret:
                raise CommandFailed("the secret is empty")
            sealed = encrypt(tenant, secret, keys)
        _print({"secret": sealed}, as_json=as_json)


def _add_rotate(app: typer.Typer) -> None:
    @app.command("rotate")
    def rotate_command(redis_url: RedisUrl = DEFAULT_REDIS_URL, as_json: AsJson = False) -> None:
        """Encrypt the secrets of all configurations in Redis by the first of the keys in MILLRACE_SECRET_KEY.

        Example: MILLRACE_SECRET_KEY="$NEW $OLD" millrace secrets rotate
        """
        with plain_errors(as_json=as_json):
            keys = secret_keys()
        done = run_short(rotate(redis_url, keys), as_json=as_json)
        if as_json:
            typer.echo(json.dumps({each.agent: each.secrets for each in done}))
        else:
            lines = [f"{each.agent}: {each.secrets} secrets encrypted anew" for each in done]
            typer.echo("\n".join(lines or ["there are no configurations"]))


def secret_keys() -> bytes:
    """Return the keys of this environment, newest first.

    Raises:
        CommandFailed: there is none.
        SettingsInvalid: one has another form.
    """
    if (keys := read_secret_key(os.environ)) is None:
        raise CommandFailed(
            "no key is set: set MILLRACE_SECRET_KEY or MILLRACE_SECRET_KEY_FILE; `millrace secrets keygen` prints one"
        )
    return keys


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    typer.echo(json.dumps(value) if as_json else next(iter(value.values())))
