"""Exports: any history, streamed as Parquet or CSV."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from millrace_api.access.principal import Caller
from millrace_api.parameters import MarketScope, SourceQuery, own_account
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep
from millrace_store.exports.export import Format
from millrace_store.exports.histories import ExportKind, has_source, is_of_account
from millrace_store.workers.query import Export

STALLED_S = 60.0
"""How long a reader may take for one piece: exports of all tenants share a few places."""


class _Pieces(StreamingResponse):
    """A stream whose source is closed as soon as it is not read any more."""

    async def stream_response(self, send: Send) -> None:
        """Send the stream; cut it off if its reader has stalled."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STALLED_S):
                await send(message)

        async with aclosing(cast(AsyncGenerator[bytes, None], self.body_iterator)):
            with suppress(TimeoutError):
                await super().stream_response(send_in_time)


router = APIRouter(prefix="/exports", tags=["exports"])

MEDIA_TYPES: dict[str, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. Decimals are text, so that no digit is lost.",
        "content": {
            MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/{kind}", operation_id="export", responses=_FILES, response_class=StreamingResponse)
async def export(
    services: ServicesDep,
    caller: Caller,
    scope: MarketScope,
    kind: Annotated[ExportKind, Path()],
    form: Annotated[Format, Query(alias="format")] = "parquet",
    source: SourceQuery = None,
) -> StreamingResponse:
    """Export a history as a file of any size; it is streamed."""
    if is_of_account(kind):
        scope = own_account(caller, scope)
    if source is not None and not has_source(kind):
        raise ApiError(422, f"{kind} have no order source: leave `source` out")
    # Once the file has begun, an error can no longer be returned.
    await services.store.ping()
    pieces = services.questions.export(Export(kind, scope._replace(source=source), form))
    name = f"{scope.tenant}-{kind}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return _Pieces(pieces, media_type=MEDIA_TYPES[form], headers=headers)
