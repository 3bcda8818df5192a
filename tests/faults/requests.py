"""The requests of a schedule, good and poisonous, and what was sent."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, Final

from tests.support.exchanges import SYMBOL

from millrace_core.clock import now_ms

POISON: Final = (
    lambda text: text[: len(text) // 2],
    lambda text: text.replace('"limit"', '"stop"'),
    lambda text: text.replace('"amountBase"', '"amount"'),
    lambda text: "[" * 3_000 + "]" * 3_000,
    lambda text: text.replace('"KCS/USDT"', '"KCS\\u0000/USDT"'),
    lambda text: text.replace('"payload":{', '"payload":{"params":{"quantity":[1,{"a":2}]},'),
    lambda text: text.replace('"payload":{', '"payload":{"amountBase":1e300,'),
    lambda text: text[:-1] + ',"requestedAt":-5}',
    lambda text: text[:-1] + ',"trace":{"decided":1' + "0" * 400 + "}}",
    lambda text: "null",
)


@dataclass
class Sent:
    """A request that was sent."""

    request_id: str
    action: str
    payload: dict[str, Any]
    at_ms: int
    by_hand: bool
    is_poison: bool = False
    poison: bytes = b""
    """The text that was sent in place of the request's own."""
    is_certain: bool = True
    """Whether it was written down for certain: a person's text may have reached nobody."""
    valid_for_ms: int = 10_000
    target: "Sent | None" = None
    """The request that made the order to be changed or canceled."""


@dataclass
class Requests:
    """Makes requests by chance."""

    random: Random
    by_hand: float
    poison: float
    exchange: str
    hasty: float
    further: Random
    """Decides about what schedules had not always, so that a seed stays what it was."""
    sent: list[Sent] = field(default_factory=list)

    def next(self, mid: Decimal) -> tuple[Sent, bytes]:
        """Return a new request, and its text; `mid` is the market's price."""
        random = self.random
        made = [each for each in self.sent if each.action == "createOrder" and not each.is_poison]
        kind = random.choices(("create", "market", "cancel", "edit", "cancelAll", "copy"), (8, 3, 4, 2, 0.3, 2))[0]
        if kind == "copy" and made:
            original = random.choice(made[-5:])
            return original, self._text(original)
        target = random.choice(made[-8:]) if made and kind in ("cancel", "edit") else None
        request = self._request(kind if target or kind not in ("cancel", "edit") else "create", mid, target)
        if self.further.random() < self.hasty:
            request.valid_for_ms = self.further.choice((1, 20, 60, 200, 1_000))
        request.is_poison = random.random() < self.poison
        text = self._text(request)
        if request.is_poison:
            spoiled = random.choice(POISON)(text.decode()).encode() + random.choice((b"", b"\xff"))
            request.is_poison, request.poison, text = spoiled != text, spoiled, spoiled
        self.sent.append(request)
        return request, text

    def reusing(self) -> bytes | None:
        """Return another request under the id of one that is in the journal: it cannot be read, or has other terms."""
        journaled = [each for each in self.sent[-8:] if each.is_certain and not each.by_hand and not each.is_poison]
        if not journaled:
            return None
        random, original = self.further, self.further.choice(journaled)
        if original.action == "createOrder" and random.random() < 0.3:
            amount = original.payload["amountBase"] + 1
            return self._text(replace(original, payload=original.payload | {"amountBase": amount}))
        return self._text(original)[:-1] + random.choice((b',"validFor":0}', b',"unheardOf":1}', b""))

    def _request(self, kind: str, mid: Decimal, target: Sent | None) -> Sent:
        random, request_id = self.random, f"{self.random.getrandbits(128):032x}"
        payload: dict[str, Any] = {"symbol": SYMBOL, "orderSource": "campaign"}
        action = {"cancel": "cancelOrder", "edit": "editOrder", "cancelAll": "cancelAllOrders"}.get(kind, "createOrder")
        amount = float(random.randint(100, 500)) / 100
        if action == "createOrder":
            side = random.choice(("buy", "sell"))
            payload |= {"side": side, "type": "market" if kind == "market" else "limit", "amountBase": amount}
            if kind != "market":
                away = Decimal(random.choice(("-0.001", "0.002", "0.02", "0.1")))
                price = mid * (1 - away if side == "buy" else 1 + away)
                payload["price"] = float(price.quantize(Decimal("0.001")))
        elif target is not None:
            payload["clientOrderId"] = target.request_id
            if action == "editOrder":
                side = target.payload["side"]
                price = mid * (Decimal("0.97") if side == "buy" else Decimal("1.03"))
                payload |= {"amountBase": amount, "price": float(price.quantize(Decimal("0.001")))}
        return Sent(request_id, action, payload, now_ms(), random.random() < self.by_hand, target=target)

    def _text(self, sent: Sent) -> bytes:
        request = {
            "action": sent.action,
            "exchangeId": self.exchange,
            "requestId": sent.request_id,
            "requestedAt": sent.at_ms,
        }
        request |= {"validFor": sent.valid_for_ms, "payload": sent.payload}
        if not sent.by_hand:
            request["journaled"] = True
        return json.dumps(request, separators=(",", ":")).encode()
