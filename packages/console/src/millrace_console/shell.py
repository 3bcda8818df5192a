"""What stands around every page: where to go, whose data it is, whether it is fresh, and the halt button."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from nicegui import ui

from millrace_console import halting
from millrace_console.visit import Visit


class PageLink(NamedTuple):
    """A page's place in the navigation."""

    path: str
    title: str
    key: str
    """Opens it from the keyboard, after `g`."""
    operator_only: bool = False


@contextmanager
def framed(visit: Visit, links: Sequence[PageLink], title: str) -> Iterator[None]:
    """Build the page within its frame."""
    ui.query("html").props('lang="en"')
    ui.html(
        'Not connected since <span id="quiet-since"></span>: what you see is old. Connecting again …',
        sanitize=False,
        tag="div",
    ).props('id="quiet-banner" role="alert"')
    shown = [each for each in links if not each.operator_only or any(a.is_operator for a in visit.all_accounts)]
    with (
        ui.left_drawer(value=None, bordered=True).props("width=200 breakpoint=1024 show-if-above") as drawer,
        ui.element("nav").props('aria-label="Pages"'),
    ):
        for each in shown:
            current = 'aria-current="page"' if each.path == visit.place.path else ""
            ui.link(each.title, visit.place.to(each.path)).props(current).props(f'title="g {each.key}"')
    with ui.header().classes("topbar items-center no-wrap q-py-xs q-px-sm gap-2").props("role=banner"):
        ui.button(icon="menu", on_click=drawer.toggle).props('flat dense aria-label="Show or hide the list of pages"')
        ui.label(title).props("role=heading aria-level=1").classes("text-lg")
        _tenants(visit)
        ui.space()
        halting.button(visit)
        _menu(visit)
    _keys(visit, shown)
    halting.banner(visit)
    with ui.element("div").classes("w-full flex flex-col gap-3"):
        yield


def _tenants(visit: Visit) -> None:
    """Let one choose whose data is shown: any of the tenants, together or one alone."""
    if len(visit.all_accounts) < 2:
        ui.label(visit.all_accounts[0].tenant).classes("muted")
        return

    names = [each.tenant for each in visit.all_accounts]
    ui.select(
        names,
        multiple=True,
        value=list(visit.place.all("tenant")) or names,
        on_change=lambda e: visit.place.go(tenant=e.value),
    ).props('dense outlined options-dense aria-label="Tenants"').classes("tenants")


def _menu(visit: Visit) -> None:
    with ui.button(icon="account_circle").props('flat dense aria-label="Theme and sign-in"'), ui.menu():
        for each in visit.all_accounts:
            ui.item_label(f"{each.tenant}: {each.name} ({each.role})").classes("q-pa-sm muted")
        ui.separator()
        for name, title in (("auto", "Like the system"), ("light", "Light"), ("dark", "Dark")):
            ui.menu_item(f"Theme: {title}", lambda name=name: ui.run_javascript(f"millrace_theme('{name}')"))
        ui.separator()
        ui.menu_item("Add a tenant …", lambda: ui.navigate.to("/sign-in"))
        ui.menu_item(
            "Sign out",
            lambda: ui.run_javascript("fetch('/sign-out',{method:'POST'}).then(()=>location.assign('/sign-in'))"),
        )


def _keys(visit: Visit, links: Sequence[PageLink]) -> None:
    """`g` and a letter open a page; `h` opens the halt dialog, which halts nothing until it is confirmed."""
    pending, may_halt = False, any(each.may("trade") for each in visit.all_accounts)

    def pressed(event) -> None:  # type: ignore[no-untyped-def]  # NiceGUI's events carry no types of their own
        nonlocal pending
        if not event.action.keydown or event.action.repeat or event.modifiers.ctrl or event.modifiers.meta:
            return
        key = str(event.key)
        if key == "h" and not pending and may_halt:
            halting.ask(visit)
        found = next((each for each in links if each.key == key), None) if pending else None
        pending = key == "g" and not pending
        if found is not None:
            ui.navigate.to(visit.place.to(found.path))

    ui.keyboard(on_key=pressed)
