"""The manifests and units under `deploy/`: valid by their schemas, and as safe as docs/operations.md says."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.support.platform import ROOT

from millrace_core.access import AGENTS

FOLDER = ROOT / "deploy" / "kubernetes"
UNITS = ROOT / "deploy" / "systemd"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
VERSIONS = ("1.30", "1.37")
SERVICES = {*AGENTS, "console"}
ONE_AT_A_TIME = {"magicbox", "executor", "alerts", "console", "dbsync"}


def manifests(file: str) -> list[dict[str, Any]]:
    """Return the documents of a file."""
    return [*yaml.safe_load_all((FOLDER / file).read_text())]


def workloads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the name and the specification of each Deployment and StatefulSet."""
    for file in FILES:
        for manifest in manifests(file):
            if manifest["kind"] in ("Deployment", "StatefulSet"):
                yield manifest["metadata"]["name"], manifest["spec"]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a workload."""
    pod = spec["template"]["spec"]
    return [*pod["containers"], *pod.get("initContainers", ())]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES)
def test_every_manifest_is_valid_by_its_schema(file: str, version: str) -> None:
    """Strictly: a field that Kubernetes does not know is an error too."""
    for manifest in manifests(file):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kustomization_names_every_manifest() -> None:
    """What is not named is not applied."""
    kustomization = yaml.safe_load((FOLDER.parent / "kustomization.yaml").read_text())
    assert kustomization["resources"] == [f"kubernetes/{file}" for file in FILES]
    for generated in kustomization["configMapGenerator"]:
        assert all((FOLDER.parent / file).is_file() for file in generated["files"])


def test_every_service_is_deployed_with_probes_limits_and_a_disruption_budget() -> None:
    """Memory is limited, CPU is not: a throttled service is late."""
    found = dict(workloads())
    assert found.keys() == {*SERVICES, "valkey", "postgres"}
    budgets = {each["spec"]["selector"]["matchLabels"]["app"] for each in manifests("disruption.yaml")}
    assert budgets == found.keys()
    for name, spec in found.items():
        (main,) = spec["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= main.keys(), name
        for container in containers(spec):
            assert container["resources"]["limits"].keys() == {"memory"}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name


def test_no_pod_has_rights() -> None:
    """As the namespace's policy `restricted` demands, and on a file system that it cannot write."""
    for name, spec in workloads():
        pod = spec["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_what_must_not_run_twice_is_ended_before_it_is_replaced() -> None:
    """A gatherer and an API may overlap with their successors; the others may not."""
    for name, spec in workloads():
        if name in SERVICES:
            assert (spec["strategy"]["type"] == "Recreate") == (name in ONE_AT_A_TIME), name
            assert spec["replicas"] == (2 if name == "api" else 1), name


def test_every_pod_knows_its_own_password_alone() -> None:
    """Only what encrypts or decrypts has the key of the secrets; a strategy's process has neither key nor database."""
    for name, spec in workloads():
        if name in SERVICES:
            (container,) = spec["template"]["spec"]["containers"]
            secrets = {each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each}
            redis = {secret for secret in secrets if secret.startswith("MILLRACE_REDIS_PASSWORD_")}
            assert redis == ({f"MILLRACE_REDIS_PASSWORD_{name.upper()}"} if name in AGENTS else set())
            assert ("MILLRACE_SECRET_KEY" in secrets) == (name in {"gatherer", "executor", "api", "alerts"})
            assert ("MILLRACE_POSTGRES_PASSWORD" in secrets) == (name in {"executor", "dbsync", "api", "alerts"})


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As `systemd-analyze verify` reads them."""
    text = (UNITS / "millrace@.service").read_text().replace("/opt/millrace/bin/python", sys.executable)
    (tmp_path / "millrace@gatherer.service").write_text(text)
    (tmp_path / "millrace.target").write_text((UNITS / "millrace.target").read_text())
    result = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
