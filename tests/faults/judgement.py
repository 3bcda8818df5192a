"""Compares what the exchange did with what was answered."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from redis.asyncio import Redis
from tests.faults.requests import Sent
from tests.support.answers import final_answer
from tests.support.exchanges import TradedExchange

from millrace_core.messages import Response


@dataclass
class Answers:
    """The final answers, by request id."""

    journal: dict[str, list[Response]] = field(default_factory=lambda: defaultdict(list))
    channel: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The final statuses that a listener received."""

    def final(self, request_id: str) -> list[Response]:
        """Return the final answers to a request."""
        return self.journal[request_id]


class Ledger:
    """The exchange's orders, by the request that they belong to."""

    def __init__(self, exchange: TradedExchange, orders: Iterable[Any], replaced: Mapping[int, int]) -> None:
        """`replaced`: by order the one that was altered into it; it has our id of that one, not of the edit."""
        self.exchange = exchange
        self._made: dict[str, list[Any]] = defaultdict(list)
        self._altered: dict[str, list[Any]] = defaultdict(list)
        for order in orders:
            belonging = self._altered if order.order_id in replaced else self._made
            belonging[order.client_order_id].append(order)

    def made_for(self, request_id: str) -> list[Any]:
        """Return the orders that carry a request's own id, and took no other's place."""
        return self._made[request_id]

    def made_of(self, request_id: str) -> list[Any]:
        """Return the orders that took the place of the one that a request made, under its id."""
        return self._altered[request_id]


async def answers_of(client: Redis) -> Answers:
    """Read all answers from the journals."""
    found = Answers()
    async for key in client.scan_iter("stream.StrankaXY.*"):
        if await client.type(key) != b"stream":
            continue
        for _, fields in await client.xrange(key):
            if (answer := final_answer(fields[b"data"])) is not None:
                found.journal[answer.request_id].append(answer)
    return found


def violations(
    sent: Sequence[Sent], answers: Answers, ledger: Ledger, touched: Counter[str], lost_ms: int = 0
) -> list[str]:
    """Return everything that must not be. `touched` counts, by request id, what else may have changed its order.

    Of requests that were sent before Redis lost its data, answers may be gone; none has two orders all the same.
    """
    found = []
    for each in sent:
        made, final = ledger.made_for(each.request_id), answers.final(each.request_id)
        if each.at_ms <= lost_ms:
            found += [f"{each.action} {each.request_id[:8]}: {len(made)} orders"] if len(made) > 1 else []
            continue
        found += [f"{each.action} {each.request_id[:8]}: {text}" for text in _problems(each, ledger, final, answers)]
        if each.action == "cancelOrder" and each.target is not None and final:
            found += _cancel_problems(each, each.target, ledger, final[0], touched)
        if each.action == "editOrder" and each.target is not None and not each.is_poison:
            found += _edit_problems(each, each.target, sent, ledger)
            found += _edit_answer_problems(each, each.target, ledger, final, touched)
    return found


def _problems(sent: Sent, ledger: Ledger, final: list[Response], answers: Answers) -> Iterable[str]:
    made = ledger.made_for(sent.request_id)
    statuses = [answer.status for answer in final]
    if len(made) > 1:
        yield f"{len(made)} orders"
    if len(final) > 1:
        yield f"answered {len(final)} times: {statuses}"
    if len(answers.channel[sent.request_id]) > 1:
        yield f"answered {len(answers.channel[sent.request_id])} times on the channel"
    if not final and not sent.is_poison and (sent.is_certain or made):
        yield f"not answered ({len(made)} orders)"
    if sent.action == "createOrder" and final:
        yield from _create_problems(sent, made, ledger, final[0])


def _create_problems(sent: Sent, made: list[Any], ledger: Ledger, answer: Response) -> Iterable[str]:
    if answer.status == "done" and not made:
        yield "done, and the exchange has no such order"
    if answer.status in ("failed", "expired", "rejected") and made:
        yield f"{answer.status} ({answer.error and answer.error.message}), and the exchange has the order"
    if answer.status == "done" and made and answer.order is not None:
        of_request = [ledger.exchange.order_id(order) for order in (*made, *ledger.made_of(sent.request_id))]
        if answer.order.id not in of_request:
            yield f"done with order {answer.order.id}, and it is {of_request[0]}"
    if sent.is_poison and made:
        yield f"poison made an order: {sent.poison[:300]!r}"


def _cancel_problems(
    sent: Sent, target: Sent, ledger: Ledger, answer: Response, touched: Counter[str]
) -> Iterable[str]:
    name = f"cancelOrder {sent.request_id[:8]}"
    made = [*ledger.made_for(target.request_id), *ledger.made_of(target.request_id)]
    if answer.status == "done" and any(order.status.is_open for order in made):
        yield f"{name}: done, and the order is open"
    is_canceled = bool(made) and made[-1].status.name == "CANCELED"
    alone = touched[target.request_id] == 1
    if answer.status in ("failed", "rejected", "expired") and is_canceled and alone and not sent.is_poison:
        yield f"{name}: {answer.status} ({answer.error and answer.error.message}), and the order was canceled"


def _edit_problems(sent: Sent, target: Sent, every: Sequence[Sent], ledger: Ledger) -> Iterable[str]:
    edits = [each for each in every if each.action == "editOrder" and each.target is target]
    name, altered = f"editOrder {sent.request_id[:8]}", ledger.made_of(target.request_id)
    if len(altered) > len(edits):
        yield f"{name}: {len(altered)} orders took the place of one, and {len(edits)} edits were sent"
    if ledger.made_for(target.request_id) and (altered or ledger.made_for(sent.request_id)) and len(edits) == 1:
        wanted = max(Decimal(str(each.payload["amountBase"])) for each in (sent, target))
        belonging = (ledger.made_for(target.request_id), altered, ledger.made_for(sent.request_id))
        traded = sum(order.filled for orders in belonging for order in orders)
        if traded > wanted:
            yield f"{name}: {traded} traded, and {wanted} was the most that was wanted"


def _edit_answer_problems(
    sent: Sent, target: Sent, ledger: Ledger, final: list[Response], touched: Counter[str]
) -> Iterable[str]:
    name, altered = f"editOrder {sent.request_id[:8]}", ledger.made_of(target.request_id)
    edited, own = ledger.made_for(target.request_id), ledger.made_for(sent.request_id)
    alone = touched[target.request_id] == 1
    for answer in final:
        said = f"{name}: {answer.status} ({answer.error and answer.error.message})"
        ids = [ledger.exchange.order_id(order) for order in (*edited, *altered, *own)]
        if answer.status == "done" and answer.order is not None and answer.order.id not in ids:
            yield f"{name}: done with order {answer.order.id}, and the orders concerned are {ids}"
        if answer.status in ("failed", "rejected", "expired") and (own or (alone and altered)):
            yield f"{said}, and another order took its place"
        if alone and len(edited) == 1 and not altered and not own and not _is_true(answer, edited[0], sent):
            yield f"{said}, and the order is {edited[0]}"


def _is_true(answer: Response, order: Any, sent: Sent) -> bool:
    """Tell whether what is said of an edit holds for an order whose place no other took."""
    has_terms = all(
        Decimal(str(sent.payload[name])) == value
        for name, value in (("amountBase", order.quantity), ("price", order.price))
    )
    if order.status.name == "CANCELED":
        # Whatever refused the replacement, that the order is gone must be said. Perhaps nothing was left to place.
        return answer.status == "done" or "canceled" in str(answer.error and answer.error.message)
    return answer.status != "done" or has_terms
