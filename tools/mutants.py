"""Mutation score of the code that decides about orders: `python tools/mutants.py resolution`, or `make mutants`.

Cosmic Ray changes one thing at a time in a copy of the code, and the tests of that part must notice. It lives in an
environment of its own, since nothing else needs it.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
TOOL: Final = ROOT / ".mutants"
VERSION: Final = "8.7.0"
TIMEOUT_S: Final = 120
_EXECUTOR: Final = ROOT / "packages/executor"


class Target(NamedTuple):
    """A module, and the tests that must notice its mutants."""

    source: Path
    module: str
    tests: tuple[Path, ...]
    options: str = "--noconftest"
    """Of pytest: pure tests need no platform, whose import takes longer than they do."""


TARGETS: Final = {
    "orders": Target(ROOT / "libs/core/src", "millrace_core/orders.py", (ROOT / "libs/core/tests/test_orders.py",)),
    "ledger": Target(
        _EXECUTOR / "src", "millrace_executor/answering/intent_ledger.py", (_EXECUTOR / "tests/answering",), ""
    ),
    "risk": Target(
        _EXECUTOR / "src",
        "millrace_executor/risk/checks.py",
        tuple(_EXECUTOR / "tests/risk" / name for name in ("test_checks.py", "test_account_checks.py")),
    ),
    "resolution": Target(
        _EXECUTOR / "src", "millrace_executor/resolution/rules.py", (_EXECUTOR / "tests/resolution/test_rules.py",)
    ),
}


def main() -> int:
    """Mutate each part that is named; print the mutants that survive, and the share that does not."""
    parser = argparse.ArgumentParser("mutants", description="Measure how many mutants the tests notice.")
    parser.add_argument("parts", nargs="*", default=["resolution"], choices=[*TARGETS], metavar="PART")
    for part in parser.parse_args().parts:
        _install()
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(f"{part}: {_score(TARGETS[part], Path(folder))}\n")
    return 0


def _install() -> None:
    if not (TOOL / "bin/cosmic-ray").exists():
        subprocess.run([sys.executable, "-m", "venv", str(TOOL)], check=True)  # noqa: S603
        subprocess.run([str(TOOL / "bin/pip"), "install", "--quiet", f"cosmic-ray=={VERSION}"], check=True)  # noqa: S603


def _score(target: Target, folder: Path) -> str:
    """Run the tests against every mutant; return what survived, and the score."""
    shutil.copytree(target.source, folder / "src")
    config, session = folder / "config.toml", folder / "session.sqlite"
    config.write_text(_config(target, folder))
    for command in (["init", str(config), str(session)], ["exec", str(config), str(session)]):
        subprocess.run([str(TOOL / "bin/cosmic-ray"), *command], check=True, cwd=ROOT)  # noqa: S603
    report = [str(TOOL / "bin/cr-report"), "--show-diff", "--surviving-only", str(session)]
    return subprocess.run(report, check=True, capture_output=True, text=True).stdout  # noqa: S603


def _config(target: Target, folder: Path) -> str:
    tests = " ".join(shlex.quote(str(each)) for each in target.tests)
    pytest = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {target.options} {tests}"
    return "\n".join(
        [
            "[cosmic-ray]",
            f'module-path = "{folder / "src" / target.module}"',
            f"timeout = {TIMEOUT_S}",
            "excluded-modules = []",
            f'test-command = "env PYTHONPATH={folder / "src"} PYTHONDONTWRITEBYTECODE=1 {pytest}"',
            "[cosmic-ray.distributor]",
            'name = "local"',
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
