"""Mutation score of the code that decides about orders: `python tools/mutants.py resolution`, or `make mutants`.

Cosmic Ray changes one thing at a time in a copy of the code, and the tests of that module must notice. It lives in an
environment of its own, since nothing else needs it. A run that was stopped goes on where it ended, unless its module
has changed since.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
TOOL: Final = ROOT / ".mutants"
VERSION: Final = "8.7.0"
RUNNER: Final = "tools/mutant_tests.py"
ADDRESS: Final = ".mutants/tests"
TIMEOUT_S: Final = 120
SHOWN_EVERY_S: Final = 30
_CORE: Final = ROOT / "libs/core"
_BUS: Final = ROOT / "libs/bus"
_EXECUTOR: Final = ROOT / "packages/executor"

NOT_TRIED: Final = (
    "core/ReplaceBinaryOperator_.*_(BitOr|BitAnd|BitXor|LShift|RShift)",
    "core/ReplaceBinaryOperator_BitOr_.*",
    "core/ReplaceComparisonOperator_Is(Not)?_(Lt|LtE|Gt|GtE)",
    "core/ReplaceComparisonOperator_(Is_Eq|IsNot_NotEq)",
)
"""Changes that say nothing of the tests. The first three raise as soon as they run, since amounts have no bits, `|`
stands in annotations, and None has no order; the last changes nothing, since `is` compares with None alone."""


class Target(NamedTuple):
    """A module, and the tests that must notice its mutants."""

    source: Path
    module: str
    tests: tuple[Path, ...]
    options: tuple[str, ...] = ("--noconftest",)
    """Of pytest: most of these tests need no platform, whose import takes longer than they do."""


class Outcomes(NamedTuple):
    """How many mutants became what."""

    killed: int = 0
    survived: int = 0
    timed_out: int = 0
    """Perhaps an endless loop, perhaps a busy machine: not counted as killed."""
    not_importable: int = 0
    """Not counted at all: no test has to notice what cannot be imported."""
    pending: int = 0

    @property
    def score(self) -> float:
        """Return the share of mutants that the tests noticed, in percent."""
        return 100 * self.killed / max(1, self.killed + self.survived + self.timed_out)


def _core(module: str, *tests: str) -> Target:
    return Target(_CORE / "src", f"millrace_core/{module}", tuple(_CORE / "tests" / each for each in tests))


def _bus(module: str, *tests: str) -> Target:
    return Target(_BUS / "src", f"millrace_bus/{module}", tuple(_BUS / "tests" / each for each in tests), ())


def _executor(module: str, *tests: str, options: tuple[str, ...] = ("--noconftest",)) -> Target:
    paths = tuple(_EXECUTOR / "tests" / each for each in tests)
    return Target(_EXECUTOR / "src", f"millrace_executor/{module}", paths, options)


TARGETS: Final = {
    "orders": (
        _core("orders.py", "test_orders.py"),
        _bus("orders/order_hash.py", "orders"),
        _bus("orders/merger.py", "orders"),
        _bus("orders/orders.py", "orders"),
    ),
    "ledger": (
        _executor("answering/intent_ledger.py", "answering/test_intent_ledger.py"),
        _executor("answering/intents.py", "answering/test_intents.py"),
    ),
    "risk": (
        _executor("risk/checks.py", "risk/test_checks.py", "risk/test_account_checks.py"),
        _executor("risk/exposure.py", "risk/test_exposure.py"),
        _executor("risk/daily_loss.py", "risk/test_daily_loss_watch.py"),
        _executor("risk/recent_orders.py", "risk/test_recent_orders.py"),
        _executor("risk/source_rates.py", "risk/test_source_rates.py"),
    ),
    "resolution": (
        _executor("resolution/rules.py", "resolution/test_rules.py"),
        _executor("resolution/resolver.py", "resolution/test_resolver_questions.py"),
    ),
}


def main() -> int:
    """Mutate each module of the parts that are named; print the mutants that survive, and the share that does not."""
    parser = argparse.ArgumentParser("mutants", description="Measure how many mutants the tests notice.")
    parser.add_argument("parts", nargs="*", default=["resolution"], choices=[*TARGETS], metavar="PART")
    parser.add_argument("--again", action="store_true", help="try those again that survived: the tests have changed")
    arguments = parser.parse_args()
    _install()
    scores = [
        f"{part} {target.module}: {_summary(_outcomes(_tried(target, is_again=arguments.again)))}\n"
        for part in arguments.parts
        for target in TARGETS[part]
    ]
    sys.stdout.writelines(scores)
    return 0


def _install() -> None:
    if not (TOOL / "bin/cosmic-ray").exists():
        subprocess.run([sys.executable, "-m", "venv", str(TOOL)], check=True)  # noqa: S603
        subprocess.run([str(TOOL / "bin/pip"), "install", "--quiet", f"cosmic-ray=={VERSION}"], check=True)  # noqa: S603


def _tried(target: Target, *, is_again: bool) -> Path:
    """Run the tests against every mutant of a module that was not tried yet; return the file of what became of them."""
    folder = TOOL / "sessions" / Path(target.module).with_suffix("")
    session, original = folder / "session.sqlite", folder / "original.py"
    if not original.exists() or original.read_bytes() != (target.source / target.module).read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    # Anew each time: a run that was stopped leaves a mutant there.
    shutil.rmtree(folder / "src", ignore_errors=True)
    shutil.copytree(target.source, folder / "src")
    config = folder / "config.toml"
    config.write_text(_config(folder / "src" / target.module))
    if not original.exists():
        _run("cosmic-ray", "init", config, session)
        _run("cr-filter-operators", session, config)
        shutil.copy(target.source / target.module, original)
    with closing(sqlite3.connect(session)) as database, database:
        # Those whose tests did not end, since the run was stopped.
        database.execute("DELETE FROM work_results WHERE output = ''")
        if is_again:
            database.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED' OR output = 'timeout'")
    if _outcomes(session).pending:
        with _serving_tests(target, folder / "src"):
            # Without mutants the tests must pass, or all are killed.
            _run("cosmic-ray", "baseline", config)
            _try_pending(target, config, session)
    sys.stdout.writelines(f"{diff}\n" for diff in _diffs(session))
    return session


def _run(command: str, *arguments: str | Path) -> None:
    subprocess.run([TOOL / "bin" / command, *arguments], check=True, cwd=ROOT)  # noqa: S603


@contextmanager
def _serving_tests(target: Target, source: Path) -> Iterator[None]:
    """Run the tests of a module each time that it is asked to, with its package in the folder `source`."""
    (ROOT / ADDRESS).unlink(missing_ok=True)
    changes = {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    pytest = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *target.options, *map(str, target.tests)]
    command = [sys.executable, RUNNER, ADDRESS, target.module.split("/")[0], *pytest]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | changes, stdout=subprocess.PIPE) as server:  # noqa: S603
        try:
            if server.stdout is None or not server.stdout.readline():
                raise SystemExit(f"the tests of {target.module} cannot be collected")
            yield
        finally:
            server.kill()


def _try_pending(target: Target, config: Path, session: Path) -> None:
    with subprocess.Popen([TOOL / "bin/cosmic-ray", "exec", config, session], cwd=ROOT) as running:  # noqa: S603
        while running.poll() is None:
            try:
                running.wait(SHOWN_EVERY_S)
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"{target.module}: {_summary(_outcomes(session))}\n")
    if running.returncode:
        raise SystemExit(f"cosmic-ray ended with {running.returncode}")


def _diffs(session: Path) -> Iterator[str]:
    """Yield the mutants that no test noticed."""
    with closing(sqlite3.connect(session)) as database:
        rows = database.execute("SELECT diff FROM work_results WHERE test_outcome = 'SURVIVED' OR output = 'timeout'")
        yield from (diff for (diff,) in rows)


def _outcomes(session: Path) -> Outcomes:
    with closing(sqlite3.connect(session)) as database:
        query = "SELECT test_outcome, output FROM work_items LEFT JOIN work_results USING (job_id)"
        query += " WHERE worker_outcome IS NOT 'SKIPPED'"
        kinds = [_kind(*row) for row in database.execute(query)]
    return Outcomes(**{kind: kinds.count(kind) for kind in Outcomes._fields})


def _kind(outcome: str | None, output: str | None) -> str:
    """Return the field of `Outcomes` that counts a mutant with such a result."""
    if not output:
        return "pending"
    if output == "timeout":
        return "timed_out"
    if outcome == "SURVIVED":
        return "survived"
    return "killed" if " failed" in output or "ERROR at setup" in output else "not_importable"


def _summary(outcomes: Outcomes) -> str:
    tried = outcomes.killed + outcomes.survived + outcomes.timed_out
    return (
        f"{tried} of {tried + outcomes.pending} tried, {outcomes.survived} survived, {outcomes.timed_out} timed out, "
        f"{outcomes.not_importable} could not be imported: {outcomes.score:.1f} %"
    )


def _config(module: Path) -> str:
    return "\n".join(
        [
            "[cosmic-ray]",
            f'module-path = "{module}"',
            f"timeout = {TIMEOUT_S}",
            "excluded-modules = []",
            f'test-command = "{sys.executable} -S -E {RUNNER} {ADDRESS}"',
            "[cosmic-ray.distributor]",
            'name = "local"',
            "[cosmic-ray.filters.operators-filter]",
            f"exclude-operators = {_toml(NOT_TRIED)}",
            "",
        ]
    )


def _toml(texts: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{each}"' for each in texts) + "]"


if __name__ == "__main__":
    sys.exit(main())
