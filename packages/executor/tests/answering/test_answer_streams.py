from typing import Any

from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_executor.answering.answer_streams import Answers

NAME = StreamName(Tenant("StrankaXY"), ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))


def answer(request_id: str, status: Any = "done") -> Response:
    return Response(request_id, status)


async def test_answers_given_can_be_read_back(floor: Any) -> None:
    """The journal tells which requests were answered, finally or also provisionally."""
    answers = Answers(floor.bus)
    await answers.give(NAME, answer("a"), Trace())
    await answers.give(NAME, answer("b", "unknown"), Trace())
    assert await answers.given(NAME) == {"a": "done"}
    assert await answers.given(NAME, provisional=True) == {"a": "done", "b": "unknown"}
    await answers.close()


async def test_a_stream_that_nobody_wrote_has_no_answers(floor: Any) -> None:
    """To ask does not wait for a first answer."""
    answers = Answers(floor.bus)
    assert await answers.given(NAME) == {}
    await answers.close()


async def test_an_answer_refused_to_an_older_writer_is_given_all_the_same(floor: Any) -> None:
    """Two executors that answer on one stream, as at a change of versions, lose no answer and double none."""
    seen = await floor.answers()
    older, newer = Answers(floor.bus), Answers(floor.bus)
    await older.give(NAME, answer("1"), Trace())
    await newer.give(NAME, answer("2"), Trace())
    await older.give(NAME, answer("3"), Trace())
    await newer.give(NAME, answer("4"), Trace())
    await seen.number(4)
    assert [each.response.request_id for each in seen.all] == ["1", "2", "3", "4"]
    await older.close()
    await newer.close()
