"""Halting and resuming trading: the button that is on every page, and the banner that says what is halted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.display.text import date_and_time
from millrace_console.ended import leave_if_ended
from millrace_console.panels import Refreshing
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.names import PUBLIC

EVERY_S = 2.0


def button(visit: Visit) -> None:
    """Show the halt button; it is missing for those whose tokens may not trade."""
    if any(account.may("trade") for account in visit.all_accounts):
        ui.button("Halt", icon="front_hand", color=None, on_click=lambda: ask(visit)).classes("halt").props(
            "dense no-caps unelevated"
        )


def ask(visit: Visit, tenants: Sequence[str] = (), strategy: str = "") -> None:
    """Say what a halt does, and carry it out if it is confirmed; it begins with these tenants, or with all."""
    able = [each for each in visit.accounts if each.may("trade") and each.tenant != PUBLIC]
    able = able or [each for each in visit.all_accounts if each.may("trade")]
    with ui.dialog(value=True).props('aria-label="Halt trading"') as dialog, ui.card().classes("w-full max-w-lg"):
        ui.label("Halt trading").props("role=heading aria-level=2").classes("text-lg")
        whose = ui.select(
            [each.tenant for each in able],
            multiple=True,
            value=list(tenants) or [each.tenant for each in able],
            label="Tenants",
        )
        exchange = ui.input("Exchange", placeholder="empty for all")
        source = ui.input("Strategy (order source)", value=strategy, placeholder="empty for all")
        reason = ui.input("Reason", placeholder="why trading is halted")
        for each in (whose, exchange, source, reason):
            each.classes("w-full").props("stack-label")
        says = ui.label().classes("muted")

        def tell() -> None:
            scope = " on ".join(filter(None, (source.value or "all strategies", exchange.value or "all exchanges")))
            says.text = (
                f"From now on no new order of {', '.join(whose.value) or 'nobody'} is sent: {scope}. "
                "Cancels go on. Open orders stay open. It holds until somebody resumes."
            )

        for each in (whose, exchange, source):
            each.on_value_change(tell)
        tell()

        async def halt() -> None:
            body = {
                "exchange": exchange.value or None,
                "orderSource": source.value or None,
                "reason": reason.value or None,
            }
            chosen = [each for each in able if each.tenant in whose.value]
            if await _carry_out(visit, "POST", chosen, body={k: v for k, v in body.items() if v}):
                dialog.close()

        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button("Halt now", color=None, on_click=halt).classes("halt").props("no-caps unelevated")


async def _carry_out(visit: Visit, method: str, accounts: list[Account], **request: Any) -> bool:
    answers = await asyncio.gather(
        *(visit.api.ask(each, method, "/halts", **request) for each in accounts), return_exceptions=True
    )
    for account, answer in zip(accounts, answers, strict=True):
        if isinstance(answer, ApiError):
            ui.notify(
                f"{account.tenant}: NOT done: {answer}", type="negative", multi_line=True, timeout=0, close_button="OK"
            )
        elif isinstance(answer, BaseException):
            raise answer
        else:
            done = "is halted" if method == "POST" else "trades again"
            ui.notify(f"{account.tenant} {done}", type="positive")
    return not any(isinstance(answer, BaseException) for answer in answers)


def banner(visit: Visit) -> None:
    """Show what is halted, with a way to resume each; nothing while nothing is halted."""
    place = ui.element("div").classes("w-full").props('role="status"')
    shown: list[tuple[str, Any]] | None = None

    async def refresh(poll: Poll) -> None:
        nonlocal shown
        found: list[tuple[str, Any]] = []
        try:
            for account in visit.trading_accounts:
                answer = await poll.get(account, "/halts")
                found += [(account.tenant, halt) for halt in answer["items"]]
        except ApiError as error:
            leave_if_ended(error)
            return  # the panels of the page say that the API does not answer
        if found == shown:
            return
        shown = found
        place.clear()
        with place:
            for tenant, halt in found:
                _line(visit, tenant, halt, refreshing.anew)

    refreshing = Refreshing(visit, EVERY_S, refresh)


def _line(visit: Visit, tenant: str, halt: dict[str, Any], refresh: Callable[[], Awaitable[None]]) -> None:
    scope = " on ".join(filter(None, (halt["orderSource"] or "all strategies", halt["exchange"] or "all exchanges")))
    account = visit.account(tenant)

    async def resume() -> None:
        query = {"exchange": halt["exchange"], "source": halt["orderSource"]}
        await _carry_out(visit, "DELETE", [account], query=query)
        await refresh()

    def ask() -> None:
        with ui.dialog(value=True).props('aria-label="Resume trading"') as dialog, ui.card():
            ui.label(f"{tenant}: {scope} trade again from now on. Orders are sent as strategies decide.")
            with ui.row().classes("w-full justify-end"):
                ui.button("Stay halted", on_click=dialog.close).props("flat no-caps")
                ui.button("Resume", on_click=resume).props("no-caps unelevated").on_click(dialog.close)

    with ui.element("div").classes("halted row items-center gap-3"):
        by = f" by {halt['by']}" if halt["by"] else ""
        why = f": {halt['reason']}" if halt["reason"] else ""
        ui.label(f"HALTED {tenant}, {scope}, since {date_and_time(halt['since'])} UTC{by}{why}")
        if account.may("trade"):
            ui.button("Resume …", on_click=ask).props('dense no-caps outline color="white"')
