"""Tokens, the audit trail, idempotency keys."""

import asyncio

import msgspec
import pytest

from millrace_core.names import Tenant
from millrace_store import Conflict, Full, Store
from millrace_store.queries.records import AuditEntry, SignInCode, TokenRecord

T = Tenant("T")
TOKEN = TokenRecord(
    id="k1",
    tenant="T",
    name="James",
    role="trade",
    secret_hash="$argon2id$…",
    created_ms=1_760_000_000_000,
    expires_ms=None,
    revoked_ms=None,
    last_used_ms=None,
)


async def test_a_token_is_kept_used_and_revoked(store: Store) -> None:
    """It is found by its id, remembers its last use, and can be revoked once, by its own tenant."""
    await store.access.add_token(TOKEN)
    await store.access.record([], {"k1": 1_760_000_000_005})
    assert await store.access.token("k1") == msgspec.structs.replace(TOKEN, last_used_ms=1_760_000_000_005)
    assert not await store.access.revoke_token(Tenant("OTHER"), "k1", 5)
    assert await store.access.revoke_token(T, "k1", 1_760_000_000_009)
    assert not await store.access.revoke_token(T, "k1", 1_760_000_000_010)
    assert [token.revoked_ms for token in await store.access.tokens(T)] == [1_760_000_000_009]
    assert await store.access.token("k2") is None
    assert await store.access.tokens(Tenant("OTHER")) == []
    assert len(await store.access.tokens()) == 1


def code(digest: str, tenant: str, usable_until_ms: int = 1_000) -> SignInCode:
    """Return a code for a tenant."""
    return SignInCode(digest=digest, tenant=tenant, role="trade", usable_until_ms=usable_until_ms, expires_ms=None)


async def test_a_sign_in_code_works_once(store: Store) -> None:
    """It stands for all of its tenants, once; of many that use it at once, one gets them."""
    both = [code("a", "T"), code("a", "U")]
    await store.access.add_sign_in_code([*both, code("b", "T")])
    found = await asyncio.gather(*(store.access.use_sign_in_code("a", 999) for _ in range(5)))
    assert sorted(found, key=len) == [[], [], [], [], both]
    assert await store.access.use_sign_in_code("b", 999) == [code("b", "T")]


async def test_a_sign_in_code_that_is_too_old_does_not_work(store: Store) -> None:
    """From the moment on until which it is usable."""
    await store.access.add_sign_in_code([code("a", "T")])
    assert await store.access.use_sign_in_code("a", 1_000) == []


async def test_names_of_tokens_are_unique_in_a_tenant(store: Store) -> None:
    """A second token of one name is refused, another tenant's is not."""
    await store.access.add_token(TOKEN)
    with pytest.raises(Conflict):
        await store.access.add_token(msgspec.structs.replace(TOKEN, id="k2"))
    await store.access.add_token(msgspec.structs.replace(TOKEN, id="k3", tenant="OTHER"))


async def test_a_tenant_has_few_tokens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many in force, and so many that are over; another tenant's do not count, and stay."""
    monkeypatch.setattr("millrace_store.access.ENDED_TOKENS", 2)
    await store.access.add_token(msgspec.structs.replace(TOKEN, id="k0", tenant="OTHER", revoked_ms=1))
    for number in range(1, 5):
        token = msgspec.structs.replace(TOKEN, id=f"k{number}", name=f"n{number}", created_ms=number)
        await store.access.add_token(token, most=1)
        with pytest.raises(Full):
            await store.access.add_token(msgspec.structs.replace(token, id="k9", name="n9"), most=1)
        assert await store.access.revoke_token(T, token.id, number)
    expired = msgspec.structs.replace(TOKEN, id="k5", name="n5", created_ms=5, expires_ms=6)
    await store.access.add_token(expired, most=1)
    await store.access.add_token(msgspec.structs.replace(TOKEN, id="k6", name="n6", created_ms=7), most=1)
    assert [token.id for token in await store.access.tokens(T)] == ["k4", "k5", "k6"]
    assert [token.id for token in await store.access.tokens(Tenant("OTHER"))] == ["k0"]


async def test_the_oldest_rows_of_a_long_audit_trail_are_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each tenant its own newest stay, in however many pieces the others are deleted."""
    monkeypatch.setattr("millrace_store.access._ROWS_A_TIME", 3)
    rows = [
        AuditEntry(at_ms=n, tenant=of, actor="k", action="a", target=None, outcome="done", address=None, detail=n)
        for of, number in (("T", 10), ("OTHER", 2))
        for n in range(number)
    ]
    await store.access.record(rows)
    assert await store.access.trim_audit(2) == 8
    for of in (T, Tenant("OTHER")):
        assert len((await store.access.audit(of)).rows) == 2
    assert [row.detail for row in (await store.access.audit(T)).rows] == [9, 8]


async def test_the_audit_trail_is_kept_in_order(store: Store) -> None:
    """Newest first, in pages, with whatever detail; each tenant its own."""
    for number in range(5):
        entry = AuditEntry(
            at_ms=1_760_000_000_000 + number,
            tenant="T" if number < 4 else "OTHER",
            actor="k1",
            action="createOrder",
            target=None,
            outcome="denied",
            address=None,
            detail={"n": number},
        )
        await store.access.record([entry])
    first = await store.access.audit(T, limit=3)
    rest = await store.access.audit(T, cursor=first.next_cursor)
    assert [row.detail["n"] for row in first.rows + rest.rows] == [3, 2, 1, 0]
    assert (first.rows[0].target, first.rows[0].outcome) == (None, "denied")
    assert len((await store.access.audit(T, since_ms=1_760_000_000_001, until_ms=1_760_000_000_003)).rows) == 2


async def test_a_key_is_claimed_by_exactly_one(store: Store) -> None:
    """Of many who claim a key at once one gets it; the others see what it was claimed for, and later its answer."""
    claims = await asyncio.gather(*(store.access.claim(T, "k", f"digest{n}", 5) for n in range(8)))
    assert claims.count(None) == 1
    others = {(claim.digest, claim.status) for claim in claims if claim is not None}
    assert others == {(f"digest{claims.index(None)}", None)}
    await store.access.answered(T, "k", 201, "{}")
    kept = await store.access.claim(T, "k", "x", 6)
    assert kept is not None
    assert (kept.status, kept.body, kept.created_ms) == (201, "{}", 5)
    assert await store.access.claim(Tenant("OTHER"), "k", "x", 6) is None


async def test_a_key_can_be_given_back_and_forgotten(store: Store) -> None:
    """Given back it can be claimed again; an answered one stays until it is old."""
    await store.access.claim(T, "k", "x", 5)
    await store.access.release(T, "k")
    assert await store.access.claim(T, "k", "y", 6) is None
    await store.access.answered(T, "k", 200, "")
    await store.access.release(T, "k")
    assert await store.access.claim(T, "k", "y", 7) is not None
    assert (await store.access.forget_keys(6), await store.access.forget_keys(7)) == (0, 1)
