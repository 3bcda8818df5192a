"""What is right and wrong with the database."""

from millrace_cli.database import NoDatabase, existing
from millrace_cli.doctor.finding import Finding, fail, ok, warn
from millrace_store import Store, StoreError
from millrace_store.store import DatabaseState

_WHERE = "set MILLRACE_DATABASE_URL, or MILLRACE_DATA_DIR, to what dbsync and the API use"


async def database_findings(url: str) -> list[Finding]:
    """Return what was found; nothing is changed."""
    try:
        async with Store.open(existing(url), migrate=False) as store:
            state = await store.state()
    except NoDatabase as error:
        return [fail("database", str(error).partition(":")[0], f"{_WHERE}; `millrace tokens create …` makes one")]
    except StoreError as error:
        return [fail("database", str(error), f"start it, or {_WHERE}")]
    return [ok("database", "answers"), _schema(state), *_writable(state)]


def _schema(state: DatabaseState) -> Finding:
    if state.revision == state.newest:
        return ok("database schema", f"revision {state.revision}")
    if state.revision is None:
        return warn("database schema", "the database is empty", "millrace tokens list")
    if state.revision > state.newest:
        text = f"revision {state.revision} is newer than {state.newest}, which this millrace knows"
        return fail("database schema", text, "upgrade millrace")
    text = f"revision {state.revision} is older than {state.newest}"
    return warn("database schema", text, "millrace tokens list (every command and service that uses it upgrades it)")


def _writable(state: DatabaseState) -> list[Finding]:
    if state.revision is None:
        return []
    if state.write_problem is not None:
        return [fail("database writes", state.write_problem, "grant this user writes, or free its disk")]
    return [ok("database writes", "accepted")]
