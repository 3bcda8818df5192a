"""An operator administers tenants: it creates and revokes their tokens, and sees nothing of their trading."""

import json
from typing import Any

from millrace_core.names import PUBLIC, AgentId


async def test_the_operator_sees_every_tenant(
    api: Any, admin: Any, bus: Any, book: Any, tenant: Any, other: Any
) -> None:
    """Those that a configuration names, that have a token, or that have streams."""
    config = {"agent": {"id": f"E-{other}"}, "exchanges": {other: {"kucoin": {}}}}
    await bus.put_config(AgentId(f"E-{other}"), json.dumps(config))
    async with api.client(await api.token(PUBLIC)) as operator:
        found = {each["tenant"]: each for each in (await operator.get("/api/v1/tenants")).json()["items"]}
    assert found[tenant] == {"tenant": tenant, "agents": [], "streams": 1, "tokens": 1}
    assert found[other] == {"tenant": other, "agents": [f"E-{other}"], "streams": 0, "tokens": 0}
    assert (await admin.get("/api/v1/tenants")).status_code == 403


async def test_the_operator_creates_and_revokes_a_tenants_token(api: Any, tenant: Any) -> None:
    """The token works, and both trails say who made it and who revoked it."""
    async with api.client(await api.token(PUBLIC)) as operator:
        params, body = {"tenant": tenant}, {"name": "first", "role": "admin"}
        made = (await operator.post("/api/v1/tokens", json=body, params=params)).json()
        async with api.client(made["token"]) as client:
            assert (await client.get("/api/v1/session")).json()["tenant"] == tenant
            assert [each["id"] for each in (await operator.get("/api/v1/tokens", params=params)).json()["items"]] == [
                made["id"]
            ]
            revoked = await operator.delete(f"/api/v1/tokens/{made['id']}", params=params)
            assert revoked.json()["revokedMs"] is not None
            assert (await client.get("/api/v1/session")).status_code == 401
    for whose in (tenant, PUBLIC):
        trail = [each for each in await api.audit(whose) if tenant in (each["target"] or "")]
        assert [each["action"] for each in trail] == ["create_token", "revoke_token"]
        assert trail[0]["detail"]["token"] == made["id"]


async def test_an_operator_does_not_see_a_tenants_trading(api: Any, tenant: Any) -> None:
    """Naming a tenant works for its tokens alone."""
    async with api.client(await api.token(PUBLIC)) as operator:
        for path in ("orders", "balances", "positions", "audit", "trades"):
            assert (await operator.get(f"/api/v1/{path}", params={"tenant": tenant})).status_code == 403, path


async def test_a_tenant_administers_no_other(api: Any, admin: Any, other: Any) -> None:
    """Another tenant's tokens are neither listed, nor made, nor revoked; nor does a wrong name pass."""
    params, body = {"tenant": other}, {"name": "x", "role": "read"}
    assert (await admin.get("/api/v1/tokens", params=params)).status_code == 403
    assert (await admin.post("/api/v1/tokens", json=body, params=params)).status_code == 403
    assert (await admin.delete("/api/v1/tokens/00", params=params)).status_code == 403
    async with api.client(await api.token(PUBLIC)) as operator:
        answer = await operator.post("/api/v1/tokens", json=body, params={"tenant": "config"})
        assert answer.status_code == 422
