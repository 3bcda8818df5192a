"""Dbsync's configuration: which journals to store."""

from pydantic import Field

from millrace_core.config.common import TENANT, BaseConfig, ConfigModel, TenantField


class DbsyncWorkplan(ConfigModel):
    """Journals of one tenant to store."""

    tenant: TenantField = Field(validation_alias=TENANT)
    assets: tuple[str, ...] = Field(min_length=1)
    """Names of streams; `*` stands for any run of characters."""


class DbsyncConfig(BaseConfig):
    """The whole configuration of a dbsync."""

    workplans: tuple[DbsyncWorkplan, ...] = ()
