"""Tables of the API: tokens, the audit trail, idempotency keys."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
import sqlalchemy as sa

from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant
from millrace_store.backends.database import Database
from millrace_store.backends.sql import Row
from millrace_store.errors import AlreadyThere, Conflict, Full
from millrace_store.queries.pages import DEFAULT_LIMIT, Page, Scope, newest, within
from millrace_store.queries.records import AuditEntry, AuditRecord, IdempotentAnswer, SignInCode, TokenRecord
from millrace_store.schema import tables

NO_TOKENS: Final[Mapping[str, int]] = MappingProxyType({})
ENDED_TOKENS: Final = 1_000
"""Tokens of a tenant that are kept although they are revoked or have expired."""
_ROWS_A_TIME: Final = 5_000
"""Rows that one transaction deletes."""
_TOKEN_FIELDS = TokenRecord.__struct_fields__


class Access:
    """Tokens, the audit trail and idempotency keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_token(self, token: TokenRecord, *, most: int | None = None) -> None:
        """Add a token, unless its tenant has `most` in force.

        Of those that are not in force any more, the tenant's newest `ENDED_TOKENS` stay.

        Raises:
            Conflict: the tenant has a token of this name, or the id is taken.
            Full: the tenant has too many in force.
        """
        row = msgspec.structs.astuple(token)
        table, now = tables.tokens.c, sa.literal(token.created_ms, sa.BigInteger())
        in_force = sa.and_(table.revoked_ms.is_(None), sa.or_(table.expires_ms.is_(None), table.expires_ms > now))
        of_tenant = sa.select(table.id).where(table.tenant == token.tenant)
        newest_first = of_tenant.where(~in_force).order_by(table.created_ms.desc(), table.id)
        # SQLite takes no offset without a limit.
        over = newest_first.limit(_ROWS_A_TIME).offset(ENDED_TOKENS)
        try:
            async with self._database.writing() as writer:
                if most is not None and len(await writer.fetch(of_tenant.where(in_force).limit(most))) >= most:
                    raise Full(f"the tenant {token.tenant} has {most:,} tokens in force")
                await writer.execute(sa.delete(tables.tokens).where(table.id.in_(over)))
                await writer.execute(sa.insert(tables.tokens).values(dict(zip(_TOKEN_FIELDS, row, strict=True))))
        except AlreadyThere as error:
            raise Conflict(f"the tenant {token.tenant} already has a token named {token.name!r}") from error

    async def token(self, token_id: str) -> TokenRecord | None:
        """Return a token by its id, even if it is revoked or expired."""
        found = await self._tokens(tables.tokens.c.id == token_id)
        return found[0] if found else None

    async def in_force(self, token_ids: Collection[str], at_ms: int) -> set[str]:
        """Return those of some tokens that are neither revoked nor expired."""
        table = tables.tokens.c
        moment = sa.literal(at_ms, sa.BigInteger())
        not_over = sa.or_(table.expires_ms.is_(None), table.expires_ms > moment)
        wanted = sa.select(table.id).where(table.id.in_(token_ids), table.revoked_ms.is_(None), not_over)
        async with self._database.reading() as reader:
            return {token_id for (token_id,) in await reader.fetch(wanted)}

    async def tokens(self, tenant: Tenant | None = None) -> list[TokenRecord]:
        """Return a tenant's tokens, or all tokens."""
        return await self._tokens(sa.true() if tenant is None else tables.tokens.c.tenant == tenant)

    async def revoke_token(self, tenant: Tenant, token_id: str, at_ms: int) -> bool:
        """Revoke a tenant's token; return False when there was none to revoke."""
        table = tables.tokens.c
        revoked = (
            sa.update(tables.tokens)
            .where(table.tenant == tenant, table.id == token_id, table.revoked_ms.is_(None))
            .values(revoked_ms=sa.literal(at_ms, sa.BigInteger()))
        )
        async with self._database.writing() as writer:
            return await writer.execute(revoked) == 1

    async def add_sign_in_code(self, codes: Sequence[SignInCode]) -> None:
        """Add a code; one with several tenants is several rows with one digest."""
        async with self._database.writing() as writer:
            for code in codes:
                await writer.execute(sa.insert(tables.sign_in_codes).values(msgspec.structs.asdict(code)))

    async def use_sign_in_code(self, digest: str, at_ms: int) -> list[SignInCode]:
        """Remove a code and return what it stands for; nothing if it is used up, too old or unknown.

        Codes that are too old are removed along with it.
        """
        table = tables.sign_in_codes.c
        fields = SignInCode.__struct_fields__
        wanted = sa.select(*(table[name] for name in fields)).where(table.digest == digest).order_by(table.tenant)
        too_old = table.usable_until_ms <= sa.literal(at_ms, sa.BigInteger())
        async with self._database.reading() as reader:
            if not await reader.fetch(wanted):
                # Whoever guesses makes nothing be written.
                return []
        async with self._database.writing() as writer:
            await writer.execute(sa.delete(tables.sign_in_codes).where(too_old))
            found = await writer.fetch(wanted)
            # Of two that use it at once, the database lets one remove it.
            removed = await writer.execute(sa.delete(tables.sign_in_codes).where(table.digest == digest))
        rows = found if removed == len(found) else []
        return [SignInCode(**dict(zip(fields, row, strict=True))) for row in rows]

    async def record(self, rows: Sequence[AuditEntry], used: Mapping[str, int] = NO_TOKENS) -> None:
        """Add to the audit trail, and store when tokens were last used (ms, by id): all or nothing."""
        tokens = tables.tokens
        async with self._database.writing() as writer:
            for row in rows:
                values = msgspec.structs.asdict(row) | {"detail": msgspec.json.encode(row.detail).decode()}
                await writer.execute(sa.insert(tables.audit).values(values))
            for token_id, at_ms in used.items():
                last_used = sa.literal(at_ms, sa.BigInteger())
                await writer.execute(sa.update(tokens).where(tokens.c.id == token_id).values(last_used_ms=last_used))

    async def trim_audit(self, most: int) -> int:
        """Delete the oldest rows of each tenant's audit trail beyond a number; return how many."""
        table, deleted = tables.audit.c, 0
        async with self._database.reading() as reader:
            tenants = [tenant for (tenant,) in await reader.fetch(sa.select(table.tenant).distinct())]
        for tenant in tenants:
            newest_first = sa.select(table.id).where(table.tenant == tenant).order_by(table.id.desc())
            over = newest_first.limit(_ROWS_A_TIME).offset(most)
            # In pieces, between which others write.
            while rows := await self._delete_audit(over):
                deleted += rows
        return deleted

    async def _delete_audit(self, ids: sa.Select[tuple[int]]) -> int:
        async with self._database.writing() as writer:
            return await writer.execute(sa.delete(tables.audit).where(tables.audit.c.id.in_(ids)))

    async def audit(
        self,
        tenant: Tenant,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[AuditRecord]:
        """Return the audit trail, newest first.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table = tables.audit.c
        scope = Scope(tenant, since_ms=since_ms, until_ms=until_ms)
        wanted = sa.select(*table).where(table.tenant == tenant, *within(scope, table.at_ms))
        rows, after = await newest(self._database, wanted, [table.id], (int,), limit, cursor, lambda row: (row[0],))
        return Page([_audit(row) for row in rows], after)

    async def claim(self, tenant: Tenant, key: str, digest: str, at_ms: int) -> IdempotentAnswer | None:
        """Claim an idempotency key atomically; return None if the claim succeeded, else the stored entry."""
        table = tables.idempotency_keys.c
        kept = sa.select(table.digest, table.status, table.body, table.created_ms).where(
            table.tenant == tenant, table.key == key
        )
        async with self._database.writing() as writer:
            if found := await writer.fetch(kept):
                digest_there, status, body, created = found[0]
                return IdempotentAnswer(digest=digest_there, status=status, body=body, created_ms=created)
            try:
                values = {"tenant": tenant, "key": key, "digest": digest, "created_ms": at_ms}
                await writer.execute(sa.insert(tables.idempotency_keys).values(values))
            except AlreadyThere:
                pass
            else:
                return None
        # Another request claimed it between our two statements and has committed: the insert would have waited.
        return await self.claim(tenant, key, digest, at_ms)

    async def answered(self, tenant: Tenant, key: str, status: int, body: str) -> None:
        """Store the answer under a claimed key."""
        table = tables.idempotency_keys.c
        kept = sa.update(tables.idempotency_keys).where(table.tenant == tenant, table.key == key)
        async with self._database.writing() as writer:
            await writer.execute(kept.values(status=status, body=body))

    async def release(self, tenant: Tenant, key: str) -> None:
        """Release a claimed key under which no answer is stored."""
        table = tables.idempotency_keys.c
        claimed = sa.delete(tables.idempotency_keys).where(table.tenant == tenant, table.key == key)
        async with self._database.writing() as writer:
            await writer.execute(claimed.where(table.status.is_(None)))

    async def forget_keys(self, before_ms: int) -> int:
        """Delete idempotency keys that were claimed before a moment; return their number."""
        old = tables.idempotency_keys.c.created_ms < sa.literal(before_ms, sa.BigInteger())
        async with self._database.writing() as writer:
            return await writer.execute(sa.delete(tables.idempotency_keys).where(old))

    async def _tokens(self, which: sa.ColumnElement[bool]) -> list[TokenRecord]:
        table = tables.tokens.c
        wanted = sa.select(*(table[name] for name in _TOKEN_FIELDS)).where(which).order_by(table.created_ms, table.id)
        async with self._database.reading() as reader:
            rows = await reader.fetch(wanted)
        return [TokenRecord(**dict(zip(_TOKEN_FIELDS, row, strict=True))) for row in rows]


def _audit(row: Row) -> AuditRecord:
    fields = dict(zip(tables.audit.c.keys(), row, strict=True))
    try:
        detail = msgspec.json.decode(fields["detail"])
    except UNREADABLE:
        detail = fields["detail"]  # A person changed the row: it is shown as it is.
    return AuditRecord(**fields | {"detail": detail})
