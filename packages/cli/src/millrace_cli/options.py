"""The options that many commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from millrace_core import names
from millrace_core.errors import InvalidName

DEFAULT_DIR: Final = Path(".millrace")

T = TypeVar("T")


def _checked(check: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser that turns a name of a wrong form into a usage error."""

    def parse(text: str) -> T:
        try:
            return check(text)
        except InvalidName as error:
            raise typer.BadParameter(str(error)) from error

    return parse


_tenant: Any = _checked(names.tenant)
_agent: Any = _checked(names.agent_id)

if TYPE_CHECKING:
    from millrace_core.names import AgentId as _Agent
    from millrace_core.names import Tenant as _Tenant
else:
    # The help shows the annotation's name.
    _Tenant = _Agent = str

Since = Annotated[str | None, typer.Option(help="Start, inclusive: ISO-8601 or ms since 1970.")]
Until = Annotated[str | None, typer.Option(help="End, exclusive: ISO-8601 or ms since 1970.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
RedisUrl = Annotated[str, typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis that the agents use.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="MILLRACE_DATABASE_URL",
        help="Database: sqlite:///path or postgresql://…; by default millrace.db in --data-dir.",
    ),
]
DatabaseDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MILLRACE_DATA_DIR", help="Folder that contains millrace.db.")
]
TenantOption = Annotated[_Tenant, typer.Option("--tenant", parser=_tenant, metavar="TENANT", help="The tenant.")]
TenantFilter = Annotated[
    _Tenant | None, typer.Option("--tenant", parser=_tenant, metavar="TENANT", help="Only this tenant.")
]
TenantArgument = Annotated[_Tenant, typer.Argument(parser=_tenant, metavar="TENANT", help="The tenant.")]
AgentArgument = Annotated[_Agent, typer.Argument(parser=_agent, metavar="AGENT", help="Agent id, such as GATHERER.")]

AgentOption = Annotated[_Agent, typer.Option("--agent", parser=_agent, metavar="AGENT", help="Agent id.")]


def url_of(database_url: str | None, data_dir: Path) -> str:
    """Return the database's URL."""
    return database_url or f"sqlite:///{data_dir.absolute() / 'millrace.db'}"
