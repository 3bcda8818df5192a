"""Adds a tenant in one form: its account and workplans in the agents' configurations, and a token."""

from functools import partial
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.pages.tenants.edits import Edit, PartlyWritten, edit_of, show_edits, write
from millrace_console.pages.tenants.tokens import create_token
from millrace_console.visit import Visit
from millrace_core.config.tenants import NewTenant, added
from millrace_core.names import tenant_or_none

KINDS = ("gatherer", "dbsync", "executor")
"""Whose configurations name a tenant, in the order in which they are written."""


def ask_for_tenant(visit: Visit, operator: Account) -> None:
    """Ask for a new tenant, and show what would be written."""
    with ui.dialog(value=True).props('aria-label="Add a tenant"') as dialog, ui.card().classes("w-full max-w-2xl"):
        ui.label("Add a tenant").props("role=heading aria-level=2").classes("text-lg")
        form = _Form()
        trouble = ui.label().classes("bad").props('role="alert"')

        async def go_on() -> None:
            if (new := form.tenant()) is None:
                trouble.text = "Correct what is marked."
                return
            try:
                edits, encrypts = await _plan(visit, operator, new)
            except (ApiError, LookupError) as error:
                trouble.text = str(error)
                return
            _confirm(visit, operator, new, edits, form.role.value, encrypts=encrypts)
            dialog.close()

        with ui.row().classes("w-full justify-end"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps")
            ui.button("Show what will be written", on_click=go_on).props("no-caps unelevated")


class _Form:
    """The fields of a new tenant."""

    def __init__(self) -> None:
        self._name = ui.input(
            "Tenant", validation={"letters, digits, _ and -": lambda text: tenant_or_none(text) is not None}
        )
        self._exchange = ui.input("Exchange", value="binance", validation={"a ccxt id, such as kucoin": str.isalnum})
        self._symbols = ui.input(
            "Symbols", placeholder="KCS/USDT, BTC/USDT", validation={"name one": lambda text: bool(_symbols(text))}
        )
        self._key = ui.input("API key", placeholder="empty for public data only")
        self._secret = ui.input("Secret", password=True)
        self._password = ui.input("Passphrase", password=True, placeholder="if the exchange has one")
        self._base = ui.input("Address of a simulated exchange", placeholder="empty for the real one")
        self._test = ui.checkbox("Use the exchange's sandbox")
        self.role = ui.select(["read", "trade", "admin"], value="admin", label="Role of its token")
        for each in (self._key, self._secret, self._password):
            each.props('autocomplete="off"')
        for field in (self._name, self._exchange, self._symbols, self._key, self._secret, self._password, self._base):
            field.classes("w-full").props("dense")
        self.role.classes("w-full").props("dense")

    def tenant(self) -> NewTenant | None:
        """Return the tenant; None where a field is wrong, which it then says."""
        fields = (self._name, self._exchange, self._symbols)
        if not all([each.validate() for each in fields]):  # noqa: C419 - each shows what is wrong
            return None
        keys = {"apiKey": self._key.value, "secret": self._secret.value, "password": self._password.value}
        account: dict[str, Any] = {name: text.strip() for name, text in keys.items() if text}
        account |= {"urls": {"base": self._base.value.strip()}} if self._base.value else {}
        account |= {"test": True} if self._test.value else {}
        name = tenant_or_none(self._name.value)
        return None if name is None else NewTenant(name, self._exchange.value, _symbols(self._symbols.value), account)


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.replace(",", " ").split() if part)


async def _plan(visit: Visit, operator: Account, new: NewTenant) -> tuple[list[Edit], bool]:
    """Return what will be written, and whether its secrets will be encrypted.

    Raises:
        ApiError: the API does not answer.
        LookupError: the tenant exists, or no agent of a kind runs.
    """
    tenants = {each["tenant"]: each for each in (await visit.api.get(operator, "/tenants"))["items"]}
    if tenants.get(new.tenant, {}).get("agents"):
        raise LookupError(f"{new.tenant} exists already, in the configuration of {tenants[new.tenant]['agents'][0]}")
    agents = (await visit.api.get(operator, "/agents"))["items"]
    first = {each["kind"]: each["id"] for each in reversed(agents)}
    wanted = [kind for kind in KINDS if kind != "executor" or new.trades]
    if missing := [kind for kind in wanted if kind not in first]:
        raise LookupError(f"no {' and no '.join(missing)} runs whose configuration could name it")
    edits = [await edit_of(visit.api, operator, first[kind], kind, partial(added, kind, new=new)) for kind in wanted]
    return edits, bool((await visit.api.get(operator, "/configs/kinds"))["encrypts"])


def _confirm(visit: Visit, operator: Account, new: NewTenant, edits: list[Edit], role: str, *, encrypts: bool) -> None:
    with (
        ui.dialog(value=True).props('persistent aria-label="Add the tenant"') as dialog,
        ui.card().classes("w-full max-w-3xl"),
    ):
        ui.label(f"Add {new.tenant}").props("role=heading aria-level=2").classes("text-lg")
        is_right = show_edits(edits)
        ui.label(f"A token of {new.tenant} with the role {role} is created, and shown once.")
        if new.trades and not encrypts:
            ui.label("The API has no MILLRACE_SECRET_KEY, so the keys are written as plain text.").classes("warn")

        async def add() -> None:
            dialog.close()
            try:
                await write(edits)
            except PartlyWritten as error:
                ui.notify(str(error), type="negative", multi_line=True, timeout=0, close_button="OK")
                return
            ui.notify(
                f"{new.tenant} is in the configurations of {', '.join(e.config.agent for e in edits)}", type="positive"
            )
            await create_token(visit, operator, new.tenant, f"{new.tenant} {role}", role)

        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button("Write these and create the token", on_click=add).props("no-caps unelevated").set_enabled(
                is_right
            )
