"""`millrace new strategy`: a strategy with its test and its configuration, that trades in the demo as it is."""

import json
import re
from keyword import kwlist
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from millrace_cli.options import AsJson
from millrace_cli.running import plain_errors
from millrace_core.errors import MillraceError

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
Folder = Annotated[Path, typer.Option(file_okay=False, help="Where to write it; made if it is missing.")]
CONFIGURATION: Final = "magicbox.json"
STRATEGY: Final = "strategy.py.txt"


class NotWritten(MillraceError):
    """A file is there already, or cannot be written; nothing was written."""


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    new = typer.Typer(no_args_is_help=True, help="Write files to begin with.")
    app.add_typer(new, name="new")

    @new.command("strategy")
    def strategy_command(
        name: Annotated[str, typer.Argument(help="Name of its class, such as MyStrategy.")],
        folder: Folder = Path(),
        as_json: AsJson = False,
    ) -> None:
        """Write a strategy, its test and its configuration. Nothing that is there is overwritten.

        Example: millrace new strategy MyStrategy --folder my_strategies
        """
        if not _NAME.fullmatch(name):
            raise typer.BadParameter("must be letters and digits, the first a capital", param_hint="NAME")
        if name in _taken_names():
            raise typer.BadParameter("means something else in Python, or in what the file imports", param_hint="NAME")
        with plain_errors(as_json=as_json):
            written = write_strategy(name, folder)
        if as_json:
            typer.echo(json.dumps({"written": [str(path) for path in written]}))
            return
        for path in written:
            typer.echo(path)
        typer.echo(f"Test it: python -m pytest {folder}")
        typer.echo(f"Watch it trade: millrace demo --plugin-dir {folder}")


def _taken_names() -> set[str]:
    """Return the names that a class in the written file cannot have."""
    imports = [line for line in _template(STRATEGY).splitlines() if line.startswith("from ")]
    return {*kwlist, *(word for line in imports for word in re.findall(r"\w+", line))}


def _template(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def write_strategy(name: str, folder: Path) -> list[Path]:
    """Write the files of a strategy; return their paths.

    Raises:
        NotWritten: one of them is there already, or cannot be written.
    """
    module = _WORDS.sub("_", name).lower()
    files = {
        folder / f"{module}.py": STRATEGY,
        folder / f"test_{module}.py": "test_strategy.py.txt",
        folder / CONFIGURATION: "magicbox.json.txt",
    }
    if present := [str(path) for path in files if path.exists()]:
        raise NotWritten(f"nothing was written: {', '.join(present)} exists already; choose another folder")
    texts = {
        path: Template(_template(template)).substitute(name=name, module=module) for path, template in files.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text)
    except OSError as error:
        raise NotWritten(f"{error.filename} cannot be written: {error.strerror}") from error
    return list(files)
