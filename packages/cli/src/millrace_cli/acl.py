"""`millrace acl`: the ACL file of a Redis server, with a user for each service."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from millrace_bus.server.acl import USERS, acl_file, hashed
from millrace_core.access import AGENTS
from millrace_core.errors import MillraceError
from millrace_core.names import AgentId, agent_id


class AclIncomplete(MillraceError):
    """The file cannot be made; the text says what is missing."""


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("acl")
    def acl_command(
        agent: Annotated[
            list[str] | None,
            typer.Option(help="Agent id of a service, as executor=EXECUTOR-2; may be given several times."),
        ] = None,
        placeholders: Annotated[
            bool, typer.Option("--placeholders", help="Leave the passwords to be filled in by another tool.")
        ] = False,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", dir_okay=False, help="File to write; by default standard output.")
        ] = None,
    ) -> None:
        """Print an ACL file for Valkey or Redis: a user for each service, with what the protocol lets it do.

        The passwords are read from MILLRACE_REDIS_PASSWORD_GATHERER and its like; the file holds their digests.

        Example: millrace acl --out users.acl
        """
        try:
            passwords = dict(zip(USERS, map(placeholder, USERS), strict=True)) if placeholders else digests(os.environ)
            text = acl_file(passwords, agents_of(agent or ()))
            if out is None:
                typer.echo(text, nl=False)
            else:
                # At once, since a server may be waiting for the file.
                unfinished = out.with_name(f".{out.name}.new")
                unfinished.write_text(text)
                unfinished.replace(out)
        except MillraceError as error:
            typer.echo(f"millrace: {error}", err=True)
            raise typer.Exit(1) from error


def variable(user: str) -> str:
    """Return the name of the environment variable that holds a user's password."""
    return f"MILLRACE_REDIS_PASSWORD_{user.upper()}"


def placeholder(user: str) -> str:
    """Return what stands for a user's password; a server does not load a file that still has one."""
    return f"#${{{variable(user)}_SHA256}}"


def digests(environ: Mapping[str, str]) -> dict[str, str]:
    """Return each user's password as an ACL file holds it.

    Raises:
        AclIncomplete: the environment lacks passwords; the text names all of them.
    """
    if missing := [variable(user) for user in USERS if not environ.get(variable(user))]:
        raise AclIncomplete(f"passwords are missing in the environment: {', '.join(missing)}")
    return {user: hashed(environ[variable(user)]) for user in USERS}


def agents_of(options: Sequence[str]) -> dict[str, list[AgentId]]:
    """Return each service's agent ids: those of the options, else its name in capitals.

    Raises:
        AclIncomplete: an option names no service.
        InvalidName: an option's id is none.
    """
    found: dict[str, list[AgentId]] = {}
    for option in options:
        service, _, text = option.partition("=")
        if service not in AGENTS:
            raise AclIncomplete(f"--agent {option}: write SERVICE=ID, with a service of {', '.join(sorted(AGENTS))}")
        found.setdefault(service, []).append(agent_id(text))
    return {service: [agent_id(service.upper())] for service in AGENTS} | found
