"""What PUBLIC shares with all tenants: its market feeds. Its own account is nobody else's, as that of any tenant."""

from millrace_api.access.principal import Principal
from millrace_core.actions import MARKET_ACTIONS
from millrace_core.errors import InvalidName
from millrace_core.names import PUBLIC, StreamName, Tenant


def readable_actions(principal: Principal, of: Tenant) -> tuple[str, ...] | None:
    """Return the actions whose streams of a tenant a principal may read; None for all."""
    if of == principal.tenant:
        return None
    return MARKET_ACTIONS if of == PUBLIC else ()


def may_read(principal: Principal, name: StreamName) -> bool:
    """Tell whether a principal may read a stream, live or stored."""
    readable = readable_actions(principal, name.tenant)
    return readable is None or name.action in readable


def may_see_unit(principal: Principal, unit: str) -> bool:
    """Tell whether a principal may see a unit of an agent; its name is `{tenant}.…`, of a stream the stream's name."""
    tenant, dot, _ = unit.partition(".")
    if dot and tenant == principal.tenant:
        return True
    try:
        return may_read(principal, StreamName.parse(f"stream.{unit}"))
    except InvalidName:
        return False
