"""Publishing requests to trade. See docs/protocol.md, "Requests to trade"."""

from millrace_core.ids import RequestId
from millrace_core.names import Tenant
from millrace_core.requests import Request


class Requests:
    """Writes requests on `{tenant}.traderActions`; reached as `bus.requests`."""

    def publish(self, tenant: Tenant, request: Request) -> RequestId:
        """Publish a request without waiting; give its id, made here where it has none.

        It goes out with all that this turn of the event loop produced. During an outage it is kept, and sent
        when Redis is back: what Redis lost meanwhile is sent again (the executor knows it by its id).
        """
        raise NotImplementedError

    async def send(self, tenant: Tenant, request: Request) -> RequestId:
        """Publish a request and wait until Redis has it in the journal; give its id."""
        raise NotImplementedError
