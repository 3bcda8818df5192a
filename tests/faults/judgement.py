"""Compares what the exchange did with what was answered."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from redis.asyncio import Redis
from tests.faults.requests import Sent
from tests.support.answers import final_answer

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
    sent: Sequence[Sent], answers: Answers, orders: Iterable[Any], touched: Counter[str], lost_ms: int = 0
) -> list[str]:
    """Return everything that must not be. `touched` counts, by request id, what else may have changed its order.

    Of requests that were sent before Redis lost its data, answers may be gone; none has two orders all the same.
    """
    by_our_id: dict[str, list[Any]] = defaultdict(list)
    for order in orders:
        by_our_id[order.client_order_id].append(order)
    found = []
    for each in sent:
        made, final = by_our_id[each.request_id], answers.final(each.request_id)
        if each.at_ms <= lost_ms:
            found += [f"{each.action} {each.request_id[:8]}: {len(made)} orders"] if len(made) > 1 else []
            continue
        found += [f"{each.action} {each.request_id[:8]}: {text}" for text in _problems(each, made, final, answers)]
        if each.action == "cancelOrder" and each.target is not None and final:
            found += _cancel_problems(each, by_our_id[each.target.request_id], final[0], touched)
        if each.action == "editOrder" and each.target is not None and not each.is_poison:
            found += _edit_problems(each, by_our_id[each.target.request_id], made, sent, by_our_id)
    return found


def _problems(sent: Sent, made: list[Any], final: list[Response], answers: Answers) -> Iterable[str]:
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
        if statuses[0] == "done" and not made:
            yield "done, and the exchange has no such order"
        if statuses[0] in ("failed", "expired", "rejected") and made:
            yield f"{statuses[0]} ({final[0].error and final[0].error.message}), and the exchange has the order"
        if statuses[0] == "done" and made and final[0].order is not None and str(made[0].order_id) != final[0].order.id:
            yield f"done with order {final[0].order.id}, and it is {made[0].order_id}"
        if sent.is_poison and made:
            yield f"poison made an order: {sent.poison[:300]!r}"


def _cancel_problems(sent: Sent, target: list[Any], answer: Response, touched: Counter[str]) -> Iterable[str]:
    name = f"cancelOrder {sent.request_id[:8]}"
    if answer.status == "done" and target and target[0].status.is_open:
        yield f"{name}: done, and the order is open"
    is_canceled = bool(target) and target[0].status.name == "CANCELED"
    alone = sent.target is not None and touched[sent.target.request_id] == 1
    if answer.status in ("failed", "rejected", "expired") and is_canceled and alone and not sent.is_poison:
        yield f"{name}: {answer.status} ({answer.error and answer.error.message}), and the order was canceled"


def _edit_problems(
    sent: Sent, target: list[Any], made: list[Any], every: Sequence[Sent], by_our_id: dict[str, list[Any]]
) -> Iterable[str]:
    if not target or not made or sent.target is None:
        return
    # Of all edits of one order, the largest amount that anybody wanted may trade.
    edits = [each for each in every if each.action == "editOrder" and each.target is sent.target]
    wanted = max(Decimal(str(each.payload["amountBase"])) for each in (*edits, sent.target))
    traded = target[0].filled + sum(order.filled for each in edits for order in by_our_id[each.request_id])
    if traded > wanted and len(edits) == 1:
        yield f"editOrder {sent.request_id[:8]}: {traded} traded, and {wanted} was the most that was wanted"
