"""A sign-in code that several use at once: one of them is signed in."""

import asyncio
from pathlib import Path

import pytest
from tests.support.databases import Database

from millrace_api.access import sign_in_codes
from millrace_core.names import PUBLIC, tenant
from millrace_store import Store

AT_ONCE = 8


@pytest.mark.parametrize("server_if_any", ["sqlite", "postgresql"], indirect=True)
async def test_of_many_that_use_a_code_at_once_one_is_signed_in(database: Database, tmp_path: Path) -> None:
    """Two processes serve the API: the first gets the tokens of every tenant, and no other token is made."""
    tenants = [tenant("StrankaXY"), PUBLIC]
    async with Store.open(database.url) as one, Store.open(database.url) as other:
        for _ in range(5):
            before = len(await one.access.tokens())
            code = await sign_in_codes.create(one, tenants, "read", 60_000)
            turns = [sign_in_codes.use(store, code) for store in (one, other) for _ in range(AT_ONCE)]
            made = [each for each in await asyncio.gather(*turns) if each]
            assert [[record.tenant for _, record in each] for each in made] == [sorted(tenants)]
            assert len(await one.access.tokens()) == before + len(tenants)
