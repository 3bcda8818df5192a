"""`millrace export`: any history by time range into a Parquet or CSV file, with a progress bar."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from millrace_core.errors import MillraceError
from millrace_store import Scope, Store
from millrace_store.exports.export import Format
from millrace_store.exports.histories import Kind, has_source

KINDS: tuple[str, ...] = get_args(Kind)
FORMATS: tuple[str, ...] = get_args(Format)


class NotExportable(MillraceError):
    """What is asked for cannot be exported; the text says what can."""


@dataclass(frozen=True)
class ExportOptions:
    """What the command line says."""

    kind: str
    scope: Scope
    form: str
    file: Path


async def run(url: str, options: ExportOptions, console: Console, stop: asyncio.Event) -> int:
    """Write the file; give how many rows it has. Stopped early, what was written of it is removed.

    Raises:
        NotExportable: there is no such history or form.
        StoreError: the database cannot be read.
    """
    kind, form = _checked(options)
    async with Store.open(url, migrate=False) as store:
        total = await store.exports.count(kind, options.scope)
        rows = 0
        with _bar(console) as progress:
            task = progress.add_task(f"{kind} → {options.file}", total=total)
            async for rows in store.exports.write(kind, options.scope, form, options.file):
                progress.update(task, completed=rows)
                if stop.is_set():
                    options.file.unlink()
                    raise NotExportable("stopped before the end: nothing is left of the file")
    return rows


def _checked(options: ExportOptions) -> tuple[Kind, Format]:
    if options.kind not in KINDS:
        raise NotExportable(f"{options.kind} cannot be exported; these can: {', '.join(KINDS)}")
    if options.form not in FORMATS:
        raise NotExportable(f"{options.form} is no form of a file here: {' or '.join(FORMATS)}")
    kind, form = cast(Kind, options.kind), cast(Format, options.form)
    if options.scope.source is not None and not has_source(kind):
        raise NotExportable(f"{kind} are of no order source: leave --source out")
    return kind, form


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
