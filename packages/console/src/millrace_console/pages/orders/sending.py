"""A change that is confirmed, sent once, and followed until its answer is final."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiAway, ApiError, ApiRefused
from millrace_console.visit import Visit

FOLLOW_S = 0.5


class Change(NamedTuple):
    """What is sent to the API when a person confirms."""

    account: Account
    method: str
    path: str
    query: dict[str, str] = {}
    body: Any = None


def confirm(
    visit: Visit, change: Change, title: str, words: str, warnings: Sequence[str], on_done: Callable[[], None]
) -> None:
    """Say what will happen, and do it if it is confirmed; the dialog shows what the API answered."""
    Confirmation(visit, change, title, words, warnings, on_done)


class Confirmation:
    """One dialog, one idempotency key: however often it is pressed, the change is made once."""

    def __init__(
        self, visit: Visit, change: Change, title: str, words: str, warnings: Sequence[str], on_done: Callable[[], None]
    ) -> None:
        self._visit, self._change, self._on_done = visit, change, on_done
        self._key = secrets.token_hex(16)
        with (
            ui.dialog(value=True).props(f'persistent aria-label="{title}"') as self._dialog,
            ui.card().classes("w-full max-w-lg"),
        ):
            ui.label(title).props("role=heading aria-level=2").classes("text-lg")
            ui.label(words).classes("confirm-words")
            for each in warnings:
                ui.label(f"▲ {each}").classes("warn")
            self._says = ui.label().props('role="status"')
            self._link = ui.link("Its whole history", "/orders")
            self._link.visible = False
            with ui.row().classes("w-full justify-end"):
                self._close = ui.button("Leave as it is", on_click=self._dialog.close).props("flat no-caps")
                self._go = ui.button(title, on_click=self._send).props("no-caps unelevated")

    async def _send(self) -> None:
        self._go.disable()
        self._say("Sent; waiting for the answer …")
        try:
            answer = await self._visit.api.ask(
                self._change.account, self._change.method, self._change.path, query=self._change.query,
                body=self._change.body, headers={"Idempotency-Key": self._key},
            )  # fmt: skip
        except ApiAway as error:
            self._say(f"Not known whether it was done: {error}. Press again: it is done once, however often.", "bad")
            self._go.enable()
        except ApiRefused as error:
            self._refused(error)
        else:
            await self._answered(answer)

    def _refused(self, error: ApiRefused) -> None:
        more = "; ".join(f"{each.get('path')}: {each.get('message')}" for each in error.problems)
        self._say(f"✖ Not done: {error}{f' ({more})' if more else ''}", "bad")
        self._ended(error.body.get("answer"))

    async def _answered(self, answer: dict[str, Any]) -> None:
        while answer.get("status") == "sent":
            self._say(f"Sent; no final answer yet (request {answer['requestId']}). It is followed here.")
            self._lead({"requestId": answer["requestId"]})
            await asyncio.sleep(FOLLOW_S)
            if self._dialog.is_deleted:
                return
            answer = await self._stored(answer)
        if answer["status"] == "done":
            self._say(f"● Done: {_outcome(answer)}.")
        else:
            error = answer.get("error") or {}
            self._say(f"✖ {answer['status']}: {error.get('message') or 'no reason given'}", "bad")
        self._ended(answer)

    async def _stored(self, pending: dict[str, Any]) -> dict[str, Any]:
        """Return the final answer if it is stored by now, else what was given."""
        try:
            history = await self._visit.api.get(self._change.account, f"/requests/{pending['requestId']}")
        except ApiError:
            return pending
        final = [each for each in history["responses"] if each["status"] != "unknown"]
        if not final:
            return pending
        order = (history["order"] or {}).get("order")
        error = {"message": f"{final[-1]['errorKind']}: {final[-1]['errorMessage']}"}
        return {"status": final[-1]["status"], "order": order, "error": error, "requestId": pending["requestId"]}

    def _ended(self, answer: dict[str, Any] | None) -> None:
        self._go.visible = False
        self._close.text = "Close"
        if answer:
            self._lead(answer)
        self._on_done()

    def _lead(self, answer: dict[str, Any]) -> None:
        request = str(answer.get("requestId") or "")
        if request:
            address = self._visit.place.to("/orders", request=request, at=self._change.account.tenant)
            self._link.props(f'href="{address}"')
            self._link.visible = True

    def _say(self, text: str, style: str = "") -> None:
        self._says.text = text
        self._says.classes(replace=style)


def _outcome(answer: dict[str, Any]) -> str:
    """Return what was done: to one order, or to all of a market."""
    if (order := answer.get("order")) is None:
        orders = answer.get("orders")
        return "all open orders are canceled" if orders is None else f"{len(orders)} orders are canceled"
    return f"order {order['id']} is {order.get('status') or 'accepted'}"
