"""The SQL that brings a database to the newest schema.

Alembic writes the SQL without connecting. The backends execute it in one transaction under a lock, so that any number
of processes may start at the same time.
"""

import io
from pathlib import Path
from typing import Final

from millrace_store.errors import DatabaseIsNewer

HEAD: Final = "0010"
"""The newest revision. A database that has it needs no alembic, which takes 0.5 s to import."""
VERSION_TABLE: Final = "alembic_version"


def script(dialect: str, current: str | None, *, to: str = HEAD, timescale: bool = False) -> str:
    """Return the SQL that takes a database from one revision (None if it is empty) to another.

    `dialect` is SQLAlchemy's name of it; with `timescale` the large tables of a new database become hypertables.

    Raises:
        DatabaseIsNewer: it has a revision after `HEAD`.
    """
    if current is not None and current > HEAD:
        raise DatabaseIsNewer(current, HEAD)
    from alembic import command
    from alembic.config import Config

    output = io.StringIO()
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("dialect", dialect)
    config.attributes["timescale"] = timescale
    command.upgrade(config, f"{current or 'base'}:{to}", sql=True)
    return output.getvalue()
