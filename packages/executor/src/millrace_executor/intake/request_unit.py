"""The unit that consumes a tenant's requests while this process holds the tenant's lease."""

from millrace_bus import Bus
from millrace_core.names import AgentId, Tenant
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_executor.intake.request_consumer import RequestConsumer
from millrace_executor.intake.router import RequestRouter
from millrace_executor.lease.tenant_lease import TenantLease
from millrace_executor.lease.tenure import Tenure
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all


class RequestUnit:
    """Makes a consumer of requests each time that the lease is taken."""

    def __init__(
        self,
        tenant: Tenant,
        agent: AgentId,
        *,
        bus: Bus,
        streams: AnswerStreams,
        database: ExecutorDatabase,
        controls: TradingControls,
        router: RequestRouter,
        lease: TenantLease,
        health: UnitHealthReporter,
    ) -> None:
        self._tenant = tenant
        self._agent = agent
        self._bus = bus
        self._streams = streams
        self._database = database
        self._controls = controls
        self._router = router
        self._lease = lease
        self._health = health

    async def run(self) -> None:
        """Consume requests whenever the lease is held, until cancelled."""
        # Opened now, since that takes longer than a take-over may.
        await run_all(self._database.prepare(), self._lease.while_held(self._health, self._consume))

    async def _consume(self, tenure: Tenure) -> None:
        consumer = RequestConsumer(
            tenure,
            f"{self._agent}-{tenure.fence.token}",
            bus=self._bus,
            streams=self._streams,
            database=self._database,
            controls=self._controls,
            router=self._router,
            health=self._health,
        )
        await consumer.run()
