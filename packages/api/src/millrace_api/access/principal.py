"""Who asks, and what that one may do. The tenant comes from the token and from nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args

from fastapi import Depends, Request

from millrace_api.problems import ApiError
from millrace_core.names import PUBLIC, Tenant

Role = Literal["read", "trade", "admin"]
"""Each may do what those before it may."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token was verified."""

    tenant: Tenant
    role: Role
    token_id: str
    name: str
    """The token's name; orders that name no source carry it."""
    csrf: str | None = None
    """What a browser's session must send along with every change; None for a token."""

    def may(self, role: Role) -> bool:
        """Tell whether this one has a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def is_operator(self) -> bool:
        """Tell whether this one runs the platform: an admin of PUBLIC, to whom what all tenants share belongs."""
        return self.tenant == PUBLIC and self.role == "admin"


def _caller(request: Request) -> Principal:
    # The middleware lets nothing pass without one.
    return cast(Principal, request.state.principal)


Caller = Annotated[Principal, Depends(_caller)]
"""Who asks."""


def needs(role: Role) -> Callable[[Principal], None]:
    """Return the dependency that lets only those pass who have a role."""

    def check(caller: Caller) -> None:
        if not caller.may(role):
            raise ApiError(403, f"this needs a token with the role {role}; this one has the role {caller.role}")

    return check
