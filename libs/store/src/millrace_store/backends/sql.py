"""Statements as text, for drivers that are used without SQLAlchemy."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect

from millrace_store.schema.tables import Table, key_of

Row = Sequence[Any]
"""A row as a driver returns it."""


class Compiled(NamedTuple):
    """The text of a statement, and the values of its placeholders in order."""

    text: str
    values: tuple[Any, ...]


Statement = sa.Select[Any] | sa.CompoundSelect[Any] | sa.Update | sa.Delete | sa.Insert | sa.TextClause | Compiled


class _Compilable(Protocol):
    def compile(self, *, dialect: Dialect, compile_kwargs: Mapping[str, Any]) -> Any: ...


SQLITE: Final[Dialect] = sqlite.dialect(paramstyle="qmark")
POSTGRES: Final[Dialect] = asyncpg.dialect()  # type: ignore[no-untyped-call]


def compiled(statement: _Compilable | Compiled, dialect: Dialect) -> Compiled:
    """Return a statement in the dialect of one of the two databases."""
    if isinstance(statement, Compiled):
        return statement
    made = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    parameters = made.construct_params()
    return Compiled(str(made), tuple(parameters[name] for name in made.positiontup or ()))


def places(dialect: Dialect, count: int) -> str:
    """Return `count` placeholders, separated by commas."""
    if dialect is SQLITE:
        return ",".join("?" * count)
    return ",".join(f"${number}" for number in range(1, count + 1))


def matching(
    table: Table, columns: Sequence[str], wanted: Mapping[str, Collection[Any]], dialect: Dialect, *, lock: bool = False
) -> Compiled:
    """Return the query for the rows in which each of these columns has one of the wanted values.

    Rows are ordered by the first of the columns. With `lock` no other transaction can change them until this one ends;
    SQLite has one writer at a time anyway. The text is built by hand: SQLAlchemy takes 0.2 ms for it, and every commit
    needs several.
    """
    values = tuple(value for among in wanted.values() for value in among)
    free = iter(places(dialect, len(values)).split(","))
    conditions = (f"{name} IN ({','.join(islice(free, len(among)))})" for name, among in wanted.items())
    text = (
        f"SELECT {','.join(columns)} FROM {table.name} "  # noqa: S608
        f"WHERE {' AND '.join(conditions)} ORDER BY {next(iter(wanted))}"
    )
    return Compiled(f"{text} FOR UPDATE" if lock and dialect is POSTGRES else text, values)


def insert_missing(table: Table, dialect: Dialect) -> str:
    """Return the statement that adds a row unless its key exists."""
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({places(dialect, len(names))}) ON CONFLICT DO NOTHING"  # noqa: S608


def replace(table: Table, dialect: Dialect) -> str:
    """Return the statement that adds a row or replaces the row of its key."""
    names = [column.name for column in table.columns]
    key = key_of(table)
    changes = ",".join(f"{name}=excluded.{name}" for name in names if name not in key)
    values = places(dialect, len(names))
    return (
        f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({values}) "  # noqa: S608
        f"ON CONFLICT ({','.join(key)}) DO UPDATE SET {changes}"
    )


def remove(table: Table, dialect: Dialect) -> str:
    """Return the statement that deletes the row that equals these values, none of which may be null."""
    names = [column.name for column in table.columns]
    same = " AND ".join(
        f"{name} = {place}" for name, place in zip(names, places(dialect, len(names)).split(","), strict=True)
    )
    return f"DELETE FROM {table.name} WHERE {same}"  # noqa: S608
