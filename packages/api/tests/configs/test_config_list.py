"""Which configurations a caller may see, and of what kinds there are."""

import json
from typing import Any

from millrace_core.config import parse_config
from millrace_core.names import PUBLIC, AgentId


async def test_each_sees_its_own_configurations_only(api: Any, admin: Any, bus: Any, tenant: Any, other: Any) -> None:
    """A tenant sees what names it alone; the operator sees all, and whom each concerns."""
    for named in ((tenant,), (other,), (tenant, other)):
        config = {"agent": {"id": "-".join(named)}, "exchanges": {each: {"kucoin": {}} for each in named}}
        await bus.put_config(AgentId("-".join(named)), json.dumps(config))
    found = (await admin.get("/api/v1/configs")).json()["items"]
    assert [(each["agentId"], each["tenants"], each["mayChange"]) for each in found] == [(tenant, [tenant], True)]
    async with api.client(await api.token(PUBLIC)) as operator:
        seen = {each["agentId"]: each for each in (await operator.get("/api/v1/configs")).json()["items"]}
    assert seen[f"{tenant}-{other}"]["tenants"] == sorted([tenant, other])
    assert seen[f"{tenant}-{other}"]["inForce"] is None


async def test_every_kind_has_a_schema_and_a_valid_example(admin: Any) -> None:
    """The examples are those of the project, and each is a configuration of its kind."""
    from millrace_api.configs.models import MODELS

    found = (await admin.get("/api/v1/configs/kinds")).json()
    assert found["encrypts"] is False
    kinds = {each["kind"]: each for each in found["items"]}
    assert kinds.keys() == MODELS.keys()
    for kind, each in kinds.items():
        assert "agent" in each["schema"]["properties"]
        for example in each["examples"]:
            parse_config(MODELS[kind], example["text"])
        assert each["examples"], kind
