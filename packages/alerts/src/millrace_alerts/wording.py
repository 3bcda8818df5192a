"""The words of a message. Pure."""

from typing import Final

from millrace_alerts.conditions import utc
from millrace_alerts.digest import Summary
from millrace_core.config import AlertKind, AlertRule

HEADLINES: Final[dict[AlertKind, str]] = {
    "agentDown": "agent down",
    "budgetSpent": "request limits nearly spent",
    "dbsyncLag": "database behind",
    "failedExecution": "failed execution",
    "gap": "gap in the data",
    "halt": "trading halted",
    "lossLimit": "loss limit reached",
    "staleStream": "stale stream",
    "unitFailed": "unit failed",
}
_LONGEST: Final = 300
"""Characters of one example: messengers refuse long messages."""


def title_of(rule: AlertRule, environment: str, summary: Summary) -> str:
    """Return the title, which says whether anything is wrong still."""
    whose = f" ({rule.tenant})" if rule.tenant else ""
    counts = [f"{summary.raised} new"] if summary.raised else []
    counts += [f"{summary.over} resolved"] if summary.over else []
    counts += [f"{summary.active} in all"] if summary.active > summary.raised else []
    name = f" [{rule.name}]" if rule.name else ""
    return f"millrace {environment}: {HEADLINES[rule.kind]}{whose}{name}: {', '.join(counts)}"


def body_of(summary: Summary) -> str:
    """Return the body: how many, first and last, examples; then what is over."""
    return "\n".join([*_raised(summary), *_over(summary)])


def _raised(summary: Summary) -> list[str]:
    if not summary.raised:
        return []
    last = f", last {utc(summary.last_ms)}" if summary.last_ms != summary.first_ms else ""
    lines = [f"{summary.raised} new, first {utc(summary.first_ms)}{last}:"]
    lines += [
        f"- {_short(text)}" + (f" ({count} times)" if count > 1 else "") for text, count in summary.examples.items()
    ]
    rest = summary.raised - sum(summary.examples.values())
    return [*lines, f"- and {rest} more"] if rest else lines


def _over(summary: Summary) -> list[str]:
    if not summary.over:
        return []
    rest = summary.over - len(summary.over_examples)
    lines = [f"{summary.over} resolved:", *(f"- {_short(text)}" for text in summary.over_examples)]
    return [*lines, f"- and {rest} more"] if rest else lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
