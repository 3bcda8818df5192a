"""The authenticated caller and its role. The tenant comes from the token and from nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args

from fastapi import Depends, Request

from millrace_api.problems import ApiError
from millrace_core.names import PUBLIC, Tenant

Role = Literal["read", "trade", "admin"]
"""Each role includes those before it."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a valid token or session."""

    tenant: Tenant
    role: Role
    token_id: str
    name: str
    """The token's name; it becomes the source of orders that name none."""
    csrf: str | None = None
    """The secret that a browser's session sends with every change; None for a token."""

    def may(self, role: Role) -> bool:
        """Tell whether the principal has a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def is_operator(self) -> bool:
        """Tell whether the principal operates the platform: an admin of PUBLIC, who owns what tenants share."""
        return self.tenant == PUBLIC and self.role == "admin"


def _caller(request: Request) -> Principal:
    # The middleware lets nothing pass without one.
    return cast(Principal, request.state.principal)


Caller = Annotated[Principal, Depends(_caller)]
"""The authenticated caller, as a dependency of a route."""


def needs(role: Role) -> Callable[[Principal], None]:
    """Return the dependency that rejects callers without a role."""

    def check(caller: Caller) -> None:
        if not caller.may(role):
            raise ApiError(403, f"this requires the role {role}; your token has the role {caller.role}")

    return check
