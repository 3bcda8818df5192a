"""The page on which a token is typed, when no link with a code signed the browser in."""

import json
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from millrace_console.api import Api
from millrace_console.place import own

PATH = "/sign-in"


def address_for(request: Request) -> str:
    """Return the sign-in page's address that leads back to what was asked for."""
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{PATH}?{urlencode({'to': to})}"


def refused(reason: str, to: str) -> str:
    """Return the sign-in page's address that says why a code did not work."""
    return f"{PATH}?{urlencode({'to': to, 'reason': reason})}"


def add_page(api: Api) -> None:
    """Serve the page."""

    @ui.page(PATH, title="Sign in · millrace")
    async def show(to: str = "/", reason: str = "") -> None:
        ui.query("html").props('lang="en"')
        with ui.element("div").classes("w-full flex justify-center"), ui.card().classes("panel max-w-lg"):
            ui.label("millrace").props("role=heading aria-level=1").classes("text-xl")
            if reason:
                ui.label(f"That sign-in link did not work: {reason}").classes("bad").props('role="alert"')
            ui.label("Paste a token. Several tokens, one after the other, show several tenants together.")
            ui.html(
                "A new link that works once: <code>millrace sign-in --tenant NAME</code>; a token: <code>millrace"
                " tokens create --tenant NAME --name NAME --role admin</code>",
                sanitize=False,
            ).classes("muted")
            token = ui.input("Token", password=True, password_toggle_button=True).classes("w-full")
            token.props('autocomplete="off" autofocus')
            trouble = ui.label().classes("bad").props('role="alert"')

            async def sign_in() -> None:
                # The browser sends it itself, so that the cookie reaches the browser and no script can read it.
                answer = await ui.run_javascript(
                    "const a = await fetch('/sign-in/token', {method: 'POST', body: "
                    f"{json.dumps(token.value or '')}}}); return [a.ok, await a.json()]",
                    timeout=20.0,
                )
                is_done, body = answer
                if is_done:
                    ui.navigate.to(own(to))
                else:
                    trouble.text = str(body.get("detail", "the sign-in failed"))

            token.on("keydown.enter", sign_in)
            ui.button("Sign in", on_click=sign_in).props("no-caps unelevated")
            ui.label(f"API: {api.url}").classes("muted")
