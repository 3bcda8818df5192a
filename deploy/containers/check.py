"""Try both compose files as a new user would: `python deploy/containers/check.py`. `make containers` runs it.

It builds the image, brings `docker-compose.yml` up as it stands, waits for live books and a fill, kills a service and
waits for it to come back; then it does the same with `docker-compose-min.yml` and one service on this machine. COMPOSE
names the engine; ports are those of `.env`. Nothing is left running.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from compose import ROOT, Api, CheckFailed, Compose, until

TENANT = "StrankaXY"
SERVICES = ("gatherer", "magicbox", "executor", "dbsync", "api", "alerts")
PATIENCE_S = float(os.environ.get("PATIENCE_S", "120"))
HOST_PORT = 18_099
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
    """Return the settings of `.env`, with those of the environment before them."""
    lines = (ROOT / ".env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: os.environ.get(name, value) for name, _, value in pairs}


def check_whole(env: dict[str, str]) -> None:
    """Bring everything up, see books and a fill, and kill a service."""
    with Compose.up("docker-compose.yml") as compose:
        api = trades(compose, env)
        comes_back(compose, api)


def trades(compose: Compose, env: dict[str, str]) -> Api:
    """Wait until everything works; return the API."""
    base = f"http://127.0.0.1:{env['MILLRACE_API_PORT']}"
    until(lambda: Api(base).get("/ready"), "the API is ready", PATIENCE_S)
    create = ("millrace", "tokens", "create", "--tenant", TENANT, "--name", "check", "--role", "trade")
    api = Api(f"{base}/api/v1", compose.inside("api", *create))
    until(lambda: live_books(api), "books are live", PATIENCE_S)
    until(lambda: filled(api), "an order is filled", PATIENCE_S)
    console = Api(f"http://127.0.0.1:{env['MILLRACE_CONSOLE_PORT']}")
    until(lambda: console.get("/"), "the console answers", PATIENCE_S)
    for service in SERVICES:
        until(lambda service=service: is_healthy(compose, service), f"{service} is healthy", PATIENCE_S)
    return api


def comes_back(compose: Compose, api: Api) -> None:
    """Kill a service, and see it trade again."""
    before = started_at(api, "EXECUTOR")
    seen = len(filled(api))
    compose.inside("executor", "python", "-c", KILL, check=False)
    until(lambda: (started_at(api, "EXECUTOR") or 0) > before, "the killed executor is back", PATIENCE_S)
    until(lambda: len(filled(api)) > seen, "another order is filled", PATIENCE_S)


def check_min(env: dict[str, str]) -> None:
    """Bring Redis and the database up, and run the API on this machine."""
    with Compose.up("docker-compose-min.yml"), on_this_machine("api", env):
        until(lambda: Api(f"http://127.0.0.1:{HOST_PORT}").get("/ready"), "the API on the host is ready", PATIENCE_S)


@contextmanager
def on_this_machine(service: str, env: dict[str, str]) -> Iterator[None]:
    """Run a service from the `.venv` against the published ports."""
    redis_password, database_password = env["MILLRACE_REDIS_PASSWORD_OPERATOR"], env["MILLRACE_POSTGRES_PASSWORD"]
    own = {
        "MILLRACE_PORT": str(HOST_PORT),
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


def live_books(api: Api) -> list[str]:
    """Return the order books that are live and whose levels the API shows."""
    agents = (api.get("/agents") or {}).get("items", [])
    units = [unit for agent in agents for unit in agent["units"] if "watchOrderBook" in unit["name"]]
    book = api.get(f"/orderbooks/binance/KCS/USDT?at={time.time_ns() // 1_000_000}") or {}
    return [unit["name"] for unit in units if unit["state"] == "live" and book.get("bids")]


def filled(api: Api) -> list[str]:
    """Return the ids of filled orders among the newest."""
    rows = (api.get("/orders?limit=1000") or {}).get("items", [])
    return [row["order"]["id"] for row in rows if row["order"]["status"] == "closed"]


def started_at(api: Api, agent: str) -> int:
    """Return when an agent's process started, ms; 0 if it does not run."""
    agents = (api.get("/agents") or {}).get("items", [])
    return max((int(each["startedAt"]) for each in agents if each["id"] == agent), default=0)


def is_healthy(compose: Compose, service: str) -> bool:
    """Tell whether the image's own health check succeeds."""
    check = "from millrace_service.healthcheck import main; print(main())"
    return compose.inside(service, "python", "-c", check, check=False) == "0"


def main() -> int:
    """Return 0 if everything was seen; else say what was not."""
    started = time.monotonic()
    try:
        env = settings()
        Compose("docker-compose.yml").run("build")
        print(f"image built after {time.monotonic() - started:.0f} s", flush=True)
        check_whole(env)
        check_min(env)
    except (CheckFailed, subprocess.CalledProcessError) as error:
        print(f"FAILED: {error}", flush=True)
        return 1
    print(f"all of it was seen, in {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
