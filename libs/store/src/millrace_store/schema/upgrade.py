"""Which SQL brings a database to the present schema.

Alembic writes the SQL without connecting; our own drivers carry it out, in one transaction and under one lock,
so that any number of processes may start at once and each finds the schema finished.
"""

import io
from pathlib import Path
from typing import Final

HEAD: Final = "0002"
"""The newest revision; a database that stands there needs no alembic, which takes half a second to import."""
VERSION_TABLE: Final = "alembic_version"


def script(dialect: str, current: str | None, *, to: str = HEAD, timescale: bool = False) -> str:
    """Return the SQL statements from a database's revision (None: empty) to another.

    `dialect` is SQLAlchemy's name of it; with `timescale` the large tables of a new database become hypertables.
    """
    from alembic import command
    from alembic.config import Config

    output = io.StringIO()
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("dialect", dialect)
    config.attributes["timescale"] = timescale
    command.upgrade(config, f"{current or 'base'}:{to}", sql=True)
    return output.getvalue()
