import asyncio
from typing import Any

from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_executor.answering.answer_streams import AnswerStreams

NAME = StreamName(Tenant("StrankaXY"), ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))


def answer(request_id: str, status: Any = "done") -> Response:
    return Response(request_id, status)


async def test_answers_given_can_be_read_back(platform: Any) -> None:
    """The journal tells which requests were answered, finally or also provisionally."""
    tenure = await platform.tenure()
    streams = AnswerStreams(platform.bus)
    await streams.publish(NAME, answer("a"), Trace(), tenure)
    await streams.publish(NAME, answer("b", "unknown"), Trace(), tenure)
    assert await streams.answered(NAME) == {"a": "done"}
    assert await streams.answered(NAME, provisional=True) == {"a": "done", "b": "unknown"}
    await streams.close()


async def test_a_stream_that_nobody_wrote_has_no_answers(platform: Any) -> None:
    """To ask does not wait for a first answer."""
    streams = AnswerStreams(platform.bus)
    assert await streams.answered(NAME) == {}
    await streams.close()


async def test_streams_that_were_only_expected_stay_few(platform: Any) -> None:
    """Streams that never opened, as while Redis is away, do not pile up: the oldest are closed."""
    tenure = await platform.tenure()
    streams = AnswerStreams(platform.bus, max_open=2)
    await platform.redis.kill()
    names = [NAME._replace(symbol=Symbol(f"X{number}/USDT")) for number in range(5)]
    for name in names:
        streams.expect(name, tenure)
    assert streams.names == names[-2:]
    await platform.redis.restart()
    await streams.close()
    assert streams.names == []


async def test_many_streams_of_one_tenant_close_none_of_another(platform: Any) -> None:
    """Those of the tenant that has the most are closed, the least recently used first."""
    tenure = await platform.tenure()
    streams = AnswerStreams(platform.bus, max_open=3)
    await platform.redis.kill()
    others = NAME._replace(tenant=Tenant("Quiet"))
    names = [NAME._replace(symbol=Symbol(f"X{number}/USDT")) for number in range(5)]
    for name in (others, *names):
        streams.expect(name, tenure)
    assert streams.names == [others, *names[-2:]]
    await platform.redis.restart()
    await streams.close()


async def test_a_stream_that_is_not_used_is_closed(platform: Any) -> None:
    """After a while without an answer a stream says that it is closed, and the next answer opens it again."""
    closed = asyncio.Event()
    follower = platform.bus.follow(NAME, lambda update: closed.set() if update.status == "closed" else None)
    await follower.ready()
    tenure = await platform.tenure()
    streams = AnswerStreams(platform.bus, idle_s=0.05)
    await streams.publish(NAME, answer("1"), Trace(), tenure)
    async with asyncio.timeout(60):
        await closed.wait()
    assert streams.names == []
    await streams.publish(NAME, answer("2"), Trace(), tenure)
    assert await streams.answered(NAME) == {"1": "done", "2": "done"}
    await streams.close()
    await follower.close()


async def test_a_stream_whose_opening_failed_is_opened_anew(platform: Any) -> None:
    """An opening that something cancelled fails its answer, and is not kept for the next one."""
    tenure = await platform.tenure()
    streams = AnswerStreams(platform.bus)
    await platform.redis.kill()
    first = asyncio.ensure_future(streams.publish(NAME, answer("1"), Trace(), tenure))
    await asyncio.sleep(0)
    (opening,) = [task for task in asyncio.all_tasks() if task.get_name() == f"open {NAME}"]
    opening.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert streams.names == []
    await platform.redis.restart()
    await streams.publish(NAME, answer("1"), Trace(), tenure)
    assert await streams.answered(NAME) == {"1": "done"}
    await streams.close()


async def test_an_answer_refused_to_an_older_writer_is_given_all_the_same(platform: Any) -> None:
    """Two executors that answer on one stream, as at a change of versions, lose no answer and double none."""
    seen = await platform.answers()
    tenure = await platform.tenure()
    older, newer = AnswerStreams(platform.bus), AnswerStreams(platform.bus)
    await older.publish(NAME, answer("1"), Trace(), tenure)
    await newer.publish(NAME, answer("2"), Trace(), tenure)
    await older.publish(NAME, answer("3"), Trace(), tenure)
    await newer.publish(NAME, answer("4"), Trace(), tenure)
    await seen.number(4)
    assert [each.response.request_id for each in seen.all] == ["1", "2", "3", "4"]
    await older.close()
    await newer.close()
