"""`millrace export`: stored history to a Parquet or CSV file, with a progress bar."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from millrace_cli.database import existing
from millrace_core.errors import MillraceError
from millrace_store import Scope, Store
from millrace_store.exports.export import Format
from millrace_store.exports.histories import KINDS, ExportKind, has_source

FORMATS: tuple[str, ...] = get_args(Format)


class NotExportable(MillraceError):
    """The requested export is not possible; the text lists what is."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of `millrace export`."""

    kind: str
    scope: Scope
    form: str
    file: Path


async def run(url: str, options: ExportOptions, console: Console, stop: asyncio.Event) -> int:
    """Write the file and return its number of rows. When stopped early, remove it.

    Raises:
        NoDatabase: the file of the database does not exist; none is made.
        NotExportable: the kind or format is unknown, or it was stopped early.
        StoreError: the database cannot be read.
    """
    kind, form = _checked(options)
    async with Store.open(existing(url), migrate=False) as store:
        total = await store.exports.count(kind, options.scope)
        rows = 0
        with _bar(console) as progress:
            task = progress.add_task(f"{kind} → {options.file}", total=total)
            async for rows in store.exports.write(kind, options.scope, form, options.file):
                progress.update(task, completed=rows)
                if stop.is_set():
                    options.file.unlink()
                    raise NotExportable("stopped early: the incomplete file was removed")
    return rows


def _checked(options: ExportOptions) -> tuple[ExportKind, Format]:
    if options.kind not in KINDS:
        raise NotExportable(f"cannot export {options.kind}; choose one of {', '.join(KINDS)}")
    if options.form not in FORMATS:
        raise NotExportable(f"unknown format {options.form}; choose {' or '.join(FORMATS)}")
    kind, form = options.kind, cast(Format, options.form)
    if options.scope.source is not None and not has_source(kind):
        raise NotExportable(f"{kind} have no order source: leave --source out")
    return kind, form


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
