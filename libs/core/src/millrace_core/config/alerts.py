"""The configuration of alerts: what a person is told, and how."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from millrace_core.config.common import BaseConfig, ConfigModel, TenantField
from millrace_core.names import PUBLIC, Tenant

AlertKind = Literal[
    "agentDown",
    "budgetSpent",
    "dbsyncLag",
    "failedExecution",
    "gap",
    "halt",
    "lossLimit",
    "staleStream",
    "unitFailed",
]
DEFAULT_THRESHOLDS: Final[dict[AlertKind, float]] = {
    "agentDown": 30,
    "budgetSpent": 90,
    "dbsyncLag": 50,
    "failedExecution": 1,
    "gap": 1,
    "halt": 0,
    "staleStream": 30,
    "unitFailed": 10,
}
"""What a rule's `threshold` is where it names none; a loss has to be named."""
ReceiverName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class AlertRule(ConfigModel):
    """One kind of alert, and who gets it."""

    kind: AlertKind
    """What it tells of."""
    tenant: TenantField | None = None
    """Only what concerns this tenant; None for everything, which only receivers of PUBLIC may get."""
    name: str = Field(default="", max_length=64)
    """Names the rule in its messages; needed where several have the same kind and tenant."""
    threshold: float | None = Field(default=None, ge=0, le=1e12)
    """Seconds, percent, a count or an amount of money, by kind; None for the kind's default."""
    currency: str = Field(default="USDT", pattern=r"^[^\s/:]{1,32}$")
    """Of a loss: profits are never summed over currencies."""
    notify: tuple[ReceiverName, ...] = Field(min_length=1)
    """Receivers of the tenant, or of PUBLIC."""
    quiet_seconds: float = Field(default=300, ge=0.1, le=86_400)
    """At least so long passes between two messages of this rule; the second tells everything since the first."""

    @property
    def label(self) -> str:
        """Return the name by which the rule is told from all others."""
        return self.name or (f"{self.kind} of {self.tenant}" if self.tenant else self.kind)

    @property
    def limit(self) -> float:
        """Return the threshold in force."""
        return self.threshold if self.threshold is not None else DEFAULT_THRESHOLDS.get(self.kind, 0)


class AlertsConfig(BaseConfig):
    """The whole configuration of alerts."""

    receivers: dict[TenantField, dict[ReceiverName, Annotated[str, Field(min_length=1, max_length=4_096)]]] = Field(
        default={}, repr=False
    )
    """By tenant and name, Apprise's address of each receiver. It is a secret, and may be written as `enc:…`."""
    rules: tuple[AlertRule, ...] = ()
    """Who learns of what."""
    gather_seconds: float = Field(default=5, ge=0.1, le=600)
    """How long a message waits for more of its kind, so that a storm is one message."""

    def receiver_of(self, rule: AlertRule, name: str) -> tuple[Tenant, str] | None:
        """Return the tenant and name of a receiver that a rule names: its tenant's own, else that of PUBLIC."""
        owners = [owner for owner in (rule.tenant, PUBLIC) if owner is not None]
        return next(((owner, name) for owner in owners if name in self.receivers.get(owner, {})), None)

    @model_validator(mode="after")
    def _is_consistent(self) -> "AlertsConfig":
        if problems := [*self._rule_problems()]:
            raise ValueError("\n".join(problems))
        return self

    def _rule_problems(self) -> Iterator[str]:
        labels: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.label in labels:
                yield f"rules[{index}].name: another rule is called {rule.label!r} too; give this one a name"
            labels.add(rule.label)
            if rule.kind == "agentDown" and rule.tenant is not None:
                yield f"rules[{index}].tenant: agents belong to no tenant; leave it out"
            if rule.kind == "lossLimit" and not rule.threshold:
                yield f"rules[{index}].threshold: is required: the loss of a day that is too much"
            owners = "PUBLIC" if rule.tenant is None else f"{rule.tenant} or PUBLIC"
            for number, name in enumerate(rule.notify):
                if self.receiver_of(rule, name) is None:
                    yield f"rules[{index}].notify[{number}]: receivers of {owners} have no {name!r}"
