"""The console's web server: its pages, the sign-in, and the files that the browser needs."""

import gc
import secrets
import socket
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from nicegui import app as nicegui_app
from nicegui import core, ui

from millrace_console import ended, sign_in
from millrace_console.accounts import COOKIE, LIFETIME_S, Account, Seal, joined
from millrace_console.api import Api, ApiError
from millrace_console.downloads import download
from millrace_console.guard import Guard, is_own_page
from millrace_console.pages import PAGES, Page
from millrace_console.place import Place, own
from millrace_console.settings import Options
from millrace_console.shell import framed
from millrace_console.visit import Backend, Visit
from millrace_core.errors import MillraceError
from millrace_serving.connections import Connection, allow_many_files, sweep
from millrace_serving.rates import RateLimiter, network_of

HERE = Path(__file__).parent
_ANY = ("0.0.0.0", "::", "")  # noqa: S104
"""Hosts that stand for all addresses of this machine; no browser opens them."""
ALIVE_S = 1.0
"""How often every page hears of the console: one that hears nothing for 3 s says so."""
TRIES_PER_S: Final = 0.5
TRIES_BURST: Final = 30
"""Sign-ins that each address may try; fewer than the API lets the console try for all."""
RECONNECT_S = 10.0
"""How long a page's state is kept while its browser is away; afterwards it is built anew, from its address.

A browser that is too busy to answer for 0.4 times this long is taken to be away."""


class Console:
    """All that the pages share: what is behind them, and the seal of the sign-in cookies."""

    def __init__(self, options: Options) -> None:
        self.backend = Backend(options.api_url)
        self.seal = Seal.of_folder(options.data_dir)
        self._tries = RateLimiter(TRIES_PER_S, TRIES_BURST)

    def accounts(self, request: Request) -> tuple[Account, ...]:
        """Return the accounts of the browser that sent a request."""
        return self.seal.open(request.cookies.get(COOKIE))

    def tenant_of(self, cookies: Mapping[str, str]) -> str | None:
        """Return the first tenant that a browser is signed in to; None if it is not signed in."""
        accounts = self.seal.open(cookies.get(COOKIE))
        return accounts[0].tenant if accounts else None

    def check_try(self, request: Request) -> None:
        """Check that an address may try to sign in: the API counts the wrong tries of all browsers as the console's.

        Raises:
            HTTPException: it has tried too often.
        """
        address = network_of(request.client.host if request.client else "")
        if wait_s := self._tries.take(address):
            seconds = str(int(wait_s) + 1)
            raise HTTPException(429, f"too many sign-ins: try again in {seconds} s", {"retry-after": seconds})

    @property
    def api(self) -> Api:
        """The API."""
        return self.backend.api


def make_app(options: Options) -> FastAPI:
    """Return the application."""
    console = Console(options)
    outer = FastAPI(title="millrace console", openapi_url=None, docs_url=None, redoc_url=None)
    outer.add_middleware(Guard, tenant_of=console.tenant_of)
    _add_routes(outer, console)
    _add_sign_in(outer, console)
    _add_exports(outer, console)
    for page in PAGES:
        _add_page(console, page)
    sign_in.add_page(console.api)
    ui.add_head_html(f"<style>{(HERE / 'theme.css').read_text()}</style>", shared=True)
    for script in ("freshness.js", "theme.js"):
        ui.add_head_html(f"<script>{(HERE / script).read_text()}</script>", shared=True)
    # To all pages at once: a script that each page runs costs a third of what an idle page costs.
    nicegui_app.timer(ALIVE_S, lambda: core.sio.emit("alive"))
    nicegui_app.on_shutdown(console.backend.close)
    ui.run_with(
        outer,
        title="millrace",
        favicon=HERE / "favicon.svg",
        dark=None,
        language="en-US",
        reconnect_timeout=RECONNECT_S,
        tailwind=True,
        show_welcome_message=False,
        storage_secret=secrets.token_urlsafe(32),
    )
    return outer


def _add_page(console: Console, page: Page) -> None:
    @ui.page(page.link.path, title=f"{page.link.title} · millrace", response_timeout=20.0)
    async def show(request: Request) -> Response | None:
        accounts = console.accounts(request)
        if not accounts:
            return RedirectResponse(sign_in.address_for(request))
        place = Place(request.url.path, request.query_params.multi_items())
        visit = Visit(console.backend, accounts, place)
        with framed(visit, [each.link for each in PAGES], page.link.title):
            await page.show(visit)
        return None


def _add_exports(outer: FastAPI, console: Console) -> None:
    @outer.get("/exports/{kind}")
    async def export(request: Request, kind: str) -> Response:
        """Download a history."""
        return await download(console.api, console.accounts(request), kind, request.query_params)


def _add_routes(outer: FastAPI, console: Console) -> None:
    @outer.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok", "version": version("millrace-console")})

    @outer.get("/worker.js")
    async def worker() -> Response:
        return Response(
            (HERE / "worker.js").read_text(), media_type="text/javascript", headers={"cache-control": "no-cache"}
        )


def _add_sign_in(outer: FastAPI, console: Console) -> None:
    @outer.get("/enter")
    async def enter(request: Request, code: str = "", to: str = "/") -> Response:
        """Sign in by a link with a code that works once."""
        console.check_try(request)
        try:
            found = await console.api.redeem(code)
        except ApiError as error:
            return RedirectResponse(sign_in.refused(str(error), to), 303)
        return _signed_in(console, request, joined(console.accounts(request), found), RedirectResponse(own(to), 303))

    @outer.get(ended.PATH)
    async def leave_ended(request: Request, to: str = "/") -> Response:
        """Sign out of the accounts whose tokens are no longer in force, and go on with the others."""
        left = await ended.in_force(console.api, console.accounts(request))
        response = RedirectResponse(own(to), 303)
        if left:
            return _signed_in(console, request, left, response)
        response.delete_cookie(COOKIE)
        return response

    @outer.post("/sign-in/token")
    async def by_token(request: Request) -> Response:
        """Sign in by a token that was typed."""
        if not is_own_page(request):
            return JSONResponse({"detail": "only the console's own page may sign in"}, 403)
        console.check_try(request)
        try:
            account = await console.api.session(await _token_of(request))
        except ApiError as error:
            return JSONResponse({"detail": str(error)}, 422)
        accounts = joined(console.accounts(request), [account])
        return _signed_in(console, request, accounts, JSONResponse({"tenant": account.tenant}))

    @outer.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        response = JSONResponse({})
        if is_own_page(request):
            response.delete_cookie(COOKIE)
        return response


def _signed_in(console: Console, request: Request, accounts: tuple[Account, ...], response: Response) -> Response:
    response.set_cookie(
        COOKIE,
        console.seal.close(accounts),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def _token_of(request: Request) -> str:
    return (await request.body()).decode(errors="replace").strip()


class PortTaken(MillraceError):
    """The port is in use by another process, or the address is not this machine's."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot serve on {host}:{port}: {reason}; choose another port with --port or MILLRACE_CONSOLE_PORT"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, on any free port when `port` is 0.

    Raises:
        PortTaken: another process listens there, or the address is not this machine's.
    """
    try:
        return socket.create_server((host, port), reuse_port=False, backlog=128)
    except OSError as error:
        raise PortTaken(host, port, error.strerror or str(error)) from error


def serve(options: Options) -> None:
    """Serve until the process is told to end.

    Raises:
        PortTaken: the port is in use.
    """
    allow_many_files()
    with listen(options.host, options.port) as listening:
        port = listening.getsockname()[1]
        app = make_app(options)
        host = "localhost" if options.host in _ANY else options.host
        print(f"console: http://{host}:{port}/  (API {options.api_url})", flush=True)  # noqa: T201
        config = uvicorn.Config(
            app, http=Connection, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=1, ws_ping_interval=5.0, ws_ping_timeout=5.0,
        )  # fmt: skip
        gc.freeze()  # a search for garbage among all that was loaded would stop every page for 0.1 s
        server = uvicorn.Server(config)
        nicegui_app.on_startup(partial(sweep, server.server_state.connections))
        server.run([listening])
