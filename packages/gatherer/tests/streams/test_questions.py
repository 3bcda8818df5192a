"""When the exchange is asked again: on a timer, and soon after a message, since another may have been lost."""

import asyncio

import pytest

from millrace_gatherer.streams.questions import QuestionTimer


def timer(soon_s: float | None) -> QuestionTimer:
    """Return a timer that nobody wakes."""
    return QuestionTimer(asyncio.Event(), soon_s)


@pytest.mark.parametrize("pause_s", [None, 60.0])
@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_message_makes_a_question_due_soon(pause_s: float | None, *, is_waiting: bool) -> None:
    """Whether it comes while the question is awaited or before."""
    questions = timer(0.01)
    if is_waiting:
        asyncio.get_running_loop().call_soon(questions.heard)
    else:
        questions.heard()
    async with asyncio.timeout(5):
        await questions.wait(pause_s)


async def test_later_messages_do_not_delay_the_question() -> None:
    """The first one since the last question counts: a busy stream is asked about as well."""
    questions = timer(0.2)
    loop = asyncio.get_running_loop()
    for place in range(40):
        loop.call_later(0.05 * place, questions.heard)
    async with asyncio.timeout(1):
        await questions.wait(None)


async def test_after_messages_it_is_asked_twice() -> None:
    """The last messages may have been lost, after the first question; when nothing came since, that is enough."""
    questions = timer(0.01)
    questions.heard()
    async with asyncio.timeout(5):
        for _ in range(2):
            await questions.wait(None)
            questions.asking()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await questions.wait(None)


async def test_where_messages_do_not_matter_only_the_timer_counts() -> None:
    """As for public trades whose numbers show what is missing."""
    questions = timer(None)
    questions.heard()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await questions.wait(60.0)
