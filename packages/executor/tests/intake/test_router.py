import asyncio

from millrace_core.names import ExchangeId, Tenant
from millrace_executor.accepted_request import Work, read
from millrace_executor.intake.router import AccountKey, Desks, Job

TENANT = Tenant("StrankaXY")
BINANCE = AccountKey(TENANT, ExchangeId("binance"))
RAW = b'{"action":"cancelAllOrders","exchangeId":"binance"}'


class Told:
    """Notes which jobs were told that they have no account."""

    def __init__(self) -> None:
        self.reasons: asyncio.Queue[str] = asyncio.Queue()

    def no_account(self, job: Job, reason: str) -> None:
        """Take the reason down."""
        self.reasons.put_nowait(reason)


def job(told: Told) -> Job:
    work = read(TENANT, RAW, entry_id=None, received_ms=0)
    assert isinstance(work, Work)

    async def done() -> None:
        """Nothing has to be told."""

    return Job(work, BINANCE, 0, done, told.no_account)


async def test_a_job_goes_to_the_desk_that_is_open() -> None:
    """An open desk takes a job at once."""
    desks, taken = Desks(), []
    desks.open(BINANCE, taken.append)
    first = job(Told())
    desks.route(first)
    assert taken == [first]


async def test_jobs_wait_for_a_desk_that_opens_soon() -> None:
    """A desk that restarts gets, in their order, the jobs that came while it was closed."""
    desks, taken = Desks(), []
    desks.open(BINANCE, taken.append)
    desks.close(BINANCE, taken.append)
    first, second = job(Told()), job(Told())
    desks.route(first)
    desks.route(second)
    assert taken == []
    desks.open(BINANCE, taken.append)
    assert taken == [first, second]
    desks.shut()


async def test_a_job_for_no_account_is_told_so() -> None:
    """When no desk opens in time the reason names what to configure, and which accounts there are."""
    desks, told = Desks(grace_s=0.01), Told()
    desks.open(AccountKey(TENANT, ExchangeId("kucoin")), lambda _: None)
    desks.route(job(told))
    reason = await told.reasons.get()
    assert "exchanges.StrankaXY.binance" in reason
    assert "kucoin" in reason
