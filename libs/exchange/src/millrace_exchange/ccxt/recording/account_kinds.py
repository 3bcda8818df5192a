"""Of what kind an account is, as ccxt learns it: once, before its first request, and then it is never asked again.

ccxt takes any answer, and on some exchanges any failure, for that of an account of the old kind. Everything would be
asked at the wrong place from then on: orders would be refused, and those that are there would not be found. So what it
learnt counts only if the exchange said it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from ccxt.base.errors import BadResponse

from millrace_exchange.ccxt.classification import codes_in
from millrace_exchange.ccxt.conversion import nodes
from millrace_exchange.profile import AccountKind


class _Learning:
    """What was asked and answered while ccxt learns it."""

    def __init__(self) -> None:
        self.is_asked = False
        self.answers: list[Any] = []
        self.error: BaseException | None = None
        """The last failure, which ccxt may have kept for itself."""


_learning: ContextVar[_Learning | None] = ContextVar("learning", default=None)


def note_question() -> None:
    """Note that a request is made."""
    if (learning := _learning.get()) is not None:
        learning.is_asked = True


def note_answer(body: str) -> None:
    """Note what was answered to it."""
    if (learning := _learning.get()) is not None:
        try:
            learning.answers.append(json.loads(body))
        except (ValueError, RecursionError):
            return


def note_failure(error: BaseException) -> None:
    """Note why it failed."""
    if (learning := _learning.get()) is not None:
        learning.error = error


def learn_certainly(ccxt: Any, kind: AccountKind) -> None:
    """Have a ccxt instance believe only what the exchange said of the kind of its account."""
    learn: Callable[..., Awaitable[Any]] = getattr(ccxt, kind.method)
    of_class = getattr(type(ccxt), kind.method)

    async def learn_what_was_said(*arguments: Any, **named: Any) -> Any:
        learning = _Learning()
        token = _learning.set(learning)
        try:
            returned = await learn(*arguments, **named)
        finally:
            _learning.reset(token)
        if learning.is_asked and not (_is_known(ccxt, kind) and _is_said(kind, learning.answers)):
            for option in kind.options:
                ccxt.options[option] = None
            text = f"{ccxt.id} does not say of what kind the account is"
            raise learning.error or BadResponse(text)
        return returned

    # ccxt has each method under a name in camel case too, by which its streams call it.
    for name in dir(type(ccxt)):
        if getattr(type(ccxt), name, None) is of_class:
            setattr(ccxt, name, learn_what_was_said)


def _is_known(ccxt: Any, kind: AccountKind) -> bool:
    return all(isinstance(ccxt.options.get(option), bool) for option in kind.options)


def _is_said(kind: AccountKind, answers: list[Any]) -> bool:
    if kind.words:
        return any(isinstance(answer, str) and answer in kind.words for answer in answers)
    objects = [node for node in nodes(answers) if isinstance(node, Mapping)]
    said = {name for each in objects for name, value in each.items() if value is not None}
    return said >= kind.fields or any(codes_in(each) & kind.refusals for each in objects)
