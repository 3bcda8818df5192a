"""One request to trade for one idempotency key, however often it is sent.

The request's id is derived from the key, so that the executor too knows a second one as the first: even when the
database forgot the key, or two of our processes get it at once, at most one order is placed.
"""

import hashlib

import msgspec

from millrace_core.ids import RequestId, new_request_id
from millrace_core.names import Tenant
from millrace_core.requests import Request


def request_id_of(tenant: Tenant, key: str | None) -> RequestId:
    """Return the id of the request that a key stands for; a fresh one without a key."""
    if key is None:
        return new_request_id()
    return RequestId(hashlib.sha256(f"{tenant}\n{key}".encode()).hexdigest()[:32])


def digest_of(request: Request) -> str:
    """Return what tells two requests of one key apart, were they not the same."""
    return hashlib.sha256(msgspec.json.encode(request, order="sorted")).hexdigest()
