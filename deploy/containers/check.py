"""Try both compose files as a new user would: `python -m deploy.containers.check`. `make containers` runs it.

It builds the image, brings `docker-compose.yml` up as it stands, opens the console in a browser by the link that
`millrace sign-in` prints, waits for live books and a fill, runs every health check, kills a service and waits for it to
come back; then it does the same with `docker-compose-min.yml` and one service on this machine. COMPOSE names the
engine. It takes free ports in place of those of `.env`, so that a platform of this folder may run beside it. Nothing is
left running.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from deploy.containers.compose import ROOT, Api, CheckFailed, Compose, until
from playwright.sync_api import Error, Page, expect, sync_playwright
from tests.support.browser import NoBrowser, executable

from millrace_bus.server.ports import free_port

TENANT = "StrankaXY"
PORTS = ("MILLRACE_API_PORT", "MILLRACE_CONSOLE_PORT", "MILLRACE_REDIS_PORT", "MILLRACE_POSTGRES_PORT")
PATIENCE_S = float(os.environ.get("PATIENCE_S", "120"))
KILL = """
import os, time
if os.fork() == 0:
    os.closerange(0, 1024)
    os.setsid()
    time.sleep(2)
    os.kill(-1, 9)
"""
"""Kills all of a container from inside, once the command that began it has ended: engines do not start again what they
were asked to kill themselves."""


def settings() -> dict[str, str]:
    """Return the settings of `.env` with ports of our own and the simulated exchange, and give those to the engine."""
    lines = (ROOT / ".env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    own = {name: str(free_port()) for name in PORTS} | {"MILLRACE_BIND": "127.0.0.1", "COMPOSE_PROFILES": "demo"}
    os.environ.update(own)
    return {name: os.environ.get(name, value) for name, _, value in pairs}


def check_whole(env: dict[str, str]) -> None:
    """Bring everything up, see books and a fill, and kill a service."""
    with Compose.up("docker-compose.yml") as compose:
        api = trades(compose, env)
        are_healthy(compose)
        comes_back(compose, api)


def trades(compose: Compose, env: dict[str, str]) -> Api:
    """Wait until everything works; return the API."""
    base = f"http://127.0.0.1:{env['MILLRACE_API_PORT']}"
    until(lambda: Api(base).get("/ready"), "the API is ready", PATIENCE_S)
    console = f"http://localhost:{env['MILLRACE_CONSOLE_PORT']}"
    until(lambda: Api(console).get("/"), "the console answers", PATIENCE_S)
    link = compose.inside("api", "millrace", "sign-in", "--tenant", TENANT)
    if not link.startswith(f"{console}/"):
        raise CheckFailed(f"the console is on {console}, and the link says {link.partition('?')[0]}")
    with in_browser() as page:
        page.goto(link)
        shows_trading(page, console)
    create = ("millrace", "tokens", "create", "--tenant", TENANT, "--name", "check", "--role", "trade")
    return Api(f"{base}/api/v1", compose.inside("api", *create))


@contextmanager
def in_browser() -> Iterator[Page]:
    """Open a page in a browser.

    Raises:
        CheckFailed: it does not show what is expected of it.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox", "--disable-gpu"])
        expect.set_options(timeout=PATIENCE_S * 1000)
        try:
            yield browser.new_page()
        except (AssertionError, Error) as error:
            raise CheckFailed(f"the console: {error}") from error
        finally:
            browser.close()


def shows_trading(page: Page, console: str) -> None:
    """See a live order book and a filled order in the console."""
    started = time.monotonic()
    page.goto(f"{console}/market?market={TENANT}.binance.KCS/USDT")
    market = page.get_by_label(re.compile(r"^KCS/USDT · binance"))
    expect(market.get_by_role("status").first).to_contain_text("live")
    for side in ("ask", "bid"):
        expect(market.get_by_label(re.compile("^Order book")).locator(f"tr.{side}")).not_to_have_count(0)
    print(f"the console shows a live book: after {time.monotonic() - started:.1f} s", flush=True)
    page.goto(f"{console}/orders")
    expect(page.get_by_role("row").filter(has_text="closed").first).to_be_visible()
    print(f"the console shows a filled order: after {time.monotonic() - started:.1f} s", flush=True)


def are_healthy(compose: Compose) -> None:
    """Wait until every service's health check succeeds."""
    for service, command in compose.health_checks().items():
        until(partial(compose.succeeds, service, *command), f"{service} is healthy", PATIENCE_S)


def comes_back(compose: Compose, api: Api) -> None:
    """Kill a service, and see it trade again."""
    before = started_at(api, "EXECUTOR")
    seen = len(filled(api))
    compose.succeeds("executor", "python", "-c", KILL)
    until(lambda: (started_at(api, "EXECUTOR") or 0) > before, "the killed executor is back", PATIENCE_S)
    until(lambda: len(filled(api)) > seen, "another order is filled", PATIENCE_S)


def check_min(env: dict[str, str]) -> None:
    """Bring Redis and the database up, and run the API on this machine."""
    port = free_port()
    with Compose.up("docker-compose-min.yml") as compose, on_this_machine("api", port, env):
        until(lambda: Api(f"http://127.0.0.1:{port}").get("/ready"), "the API on the host is ready", PATIENCE_S)
        are_healthy(compose)


@contextmanager
def on_this_machine(service: str, port: int, env: dict[str, str]) -> Iterator[None]:
    """Run a service from the `.venv` against the published ports."""
    redis_password, database_password = env["MILLRACE_REDIS_PASSWORD_OPERATOR"], env["MILLRACE_POSTGRES_PASSWORD"]
    own = {
        "MILLRACE_PORT": str(port),
        "MILLRACE_REDIS_URL": f"redis://:{redis_password}@127.0.0.1:{env['MILLRACE_REDIS_PORT']}/0",
        "MILLRACE_DATABASE_URL": (
            f"postgresql://millrace:{database_password}@127.0.0.1:{env['MILLRACE_POSTGRES_PORT']}/millrace"
        ),
    }
    process = subprocess.Popen([ROOT / ".venv/bin/python", "-m", f"millrace_{service}"], env={**os.environ, **own})  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def filled(api: Api) -> list[str]:
    """Return the ids of filled orders among the newest."""
    rows = (api.get("/orders?limit=1000") or {}).get("items", [])
    return [row["order"]["id"] for row in rows if row["order"]["status"] == "closed"]


def started_at(api: Api, agent: str) -> int:
    """Return when an agent's process started, ms; 0 if it does not run."""
    agents = (api.get("/agents") or {}).get("items", [])
    return max((int(each["startedAt"]) for each in agents if each["id"] == agent), default=0)


def main() -> int:
    """Return 0 if everything was seen; else say what was not."""
    started = time.monotonic()
    try:
        executable()
        env = settings()
        Compose("docker-compose.yml").run("build")
        print(f"image built after {time.monotonic() - started:.0f} s", flush=True)
        check_whole(env)
        check_min(env)
    except (CheckFailed, NoBrowser, subprocess.CalledProcessError) as error:
        print(f"FAILED: {error}", flush=True)
        return 1
    print(f"all of it was seen, in {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
