"""Which database a command is about, and how it is named on the command line."""

from pathlib import Path
from typing import Annotated

import typer

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="MILLRACE_DATABASE_URL",
        help="sqlite:///path or postgresql://…; millrace.db in the data folder when not given.",
    ),
]
DatabaseDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MILLRACE_DATA_DIR", help="Folder that holds millrace.db.")
]
DEFAULT_DIR = Path(".millrace")


def url_of(database_url: str | None, data_dir: Path) -> str:
    """Return the address of the database."""
    return database_url or f"sqlite:///{data_dir.absolute() / 'millrace.db'}"
