"""Reads the bundle as the CLI does, as far as the tests need it: includes, the target's overrides, variables filled in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TARGETS = ("dev", "prod")
USER = "someone@example.com"
# What nobody can have a default for, and the warehouse, which is looked up in the workspace.
GIVEN = {
    "dev": {"warehouse_id": "0123456789abcdef"},
    "prod": {
        "warehouse_id": "0123456789abcdef",
        "job_service_principal": "00000000-0000-0000-0000-000000000001",
        "reader_group": "genie-readers",
        "alert_email": "oncall@example.com",
    },
}

_REFERENCE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """One target: the whole configuration, and its resources with every variable filled in."""

    target: str
    config: dict[str, Any]
    resources: dict[str, dict[str, Any]]

    def all(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return kind, key and content of every resource."""
        return [(kind, key, item) for kind, items in self.resources.items() for key, item in items.items()]


def load_bundle(target: str) -> Bundle:
    """Return one target of the bundle of this repository."""
    config = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
    for pattern in config["include"]:
        for path in sorted(ROOT.glob(pattern)):
            config = merge(config, yaml.safe_load(path.read_text(encoding="utf-8")))
    chosen = config["targets"][target]
    values = {name: declared.get("default") for name, declared in config["variables"].items()}
    values |= chosen.get("variables", {}) | GIVEN[target]
    merged = merge({key: value for key, value in config.items() if key != "targets"}, chosen)
    resolver = _Resolver(merged, target, values)
    return Bundle(target=target, config=config, resources=resolver.fill(merged["resources"]))


def merge(base: Any, over: Any) -> Any:
    """Merge as bundles do: mappings by key, lists one after the other, else the later wins."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merge(base.get(key), over[key]) if key in over else base[key] for key in [*base, *over]}
    if isinstance(base, list) and isinstance(over, list):
        return [*base, *over]
    return over


class _Resolver:
    def __init__(self, config: dict[str, Any], target: str, values: dict[str, Any]) -> None:
        self._config = config
        self._values = values
        self._fixed = {
            "bundle.name": config["bundle"]["name"],
            "bundle.target": target,
            "workspace.current_user.userName": USER,
        }

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        if whole := _REFERENCE.fullmatch(value):
            return self._look_up(whole.group(1))
        return _REFERENCE.sub(lambda found: str(self._look_up(found.group(1))), value)

    def _look_up(self, path: str) -> Any:
        if path in self._fixed:
            return self._fixed[path]
        if path.startswith("var."):
            value = self._values[path.removeprefix("var.")]
            assert value is not None, f"{path} has no value"
            return self.fill(value)
        found: Any = self._config
        for part in path.split("."):
            found = found[part]
        return self.fill(found)


def load_with_official_package(bundle: Bundle, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the resources as `databricks-bundles` read them, and its diagnostics; called the way the CLI calls it."""
    given, made, found = folder / "input.json", folder / "output.json", folder / "diagnostics.json"
    locations = folder / "locations.json"
    given.write_text(
        json.dumps({"bundle": {"name": "genie-obs", "target": bundle.target}, "resources": bundle.resources}),
        encoding="utf-8",
    )
    subprocess.run(
        [
            sys.executable, "-m", "databricks.bundles.build", "--phase", "apply_mutators", "--input", str(given),
            "--output", str(made), "--diagnostics", str(found), "--locations", str(locations),
        ],
        check=False, cwd=folder,
    )  # fmt: skip
    diagnostics = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    resources = json.loads(made.read_text(encoding="utf-8"))["resources"] if made.exists() else {}
    return resources, diagnostics
