"""The bundle: every resource is known to Databricks' own package, and says what the job, the tables and the files say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.bundle import ROOT, TARGETS, Bundle, load_bundle, load_with_official_package

from genie_obs.command.task import LOG_LEVEL, PARTIAL_OK, parse_parameters
from genie_obs.config import SETTINGS, parse_settings
from genie_obs.secret import SECRET_SCOPE

JOBS = ("genie_obs_ingest", "genie_obs_ingest_sharded")
# Where the session and the system tables are is no question on Databricks.
NOT_ON_DATABRICKS = {"engine", "lakehouse", "system_catalog"}


@pytest.fixture(scope="module", params=TARGETS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(request.param)


@pytest.fixture(scope="module")
def prod() -> Bundle:
    return load_bundle("prod")


def wheel_task(bundle: Bundle, job: str) -> dict[str, Any]:
    [task] = bundle.resources["jobs"][job]["tasks"]
    inner: dict[str, Any] = task["for_each_task"]["task"] if "for_each_task" in task else task
    return inner


def test_resources_load_through_the_official_package(bundle: Bundle, tmp_path: Path) -> None:
    resources, diagnostics = load_with_official_package(bundle, tmp_path)
    assert diagnostics == []
    assert {kind: set(items) for kind, items in resources.items()} == {
        kind: set(items) for kind, items in bundle.resources.items()
    }


@pytest.mark.parametrize(
    "place", ["jobs.genie_obs_ingest.tasks.0", "alerts.coverage_low.evaluation", "schemas.genie_analytics"]
)
def test_official_package_would_have_found_an_unknown_field(prod: Bundle, tmp_path: Path, place: str) -> None:
    resources = deepcopy(prod.resources)
    found: Any = resources
    for part in place.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    found["no_such_field"] = 1
    broken = Bundle(target="prod", config=prod.config, resources=resources)
    _, diagnostics = load_with_official_package(broken, tmp_path)
    assert "no_such_field" in json.dumps(diagnostics)


def test_keys_are_unique_over_all_kinds(bundle: Bundle) -> None:
    keys = [key for _, key, _ in bundle.all()]
    assert len(keys) == len(set(keys))


def test_prod_brings_jobs_dashboard_tables_scope_and_alerts(prod: Bundle) -> None:
    assert {kind: len(items) for kind, items in prod.resources.items()} == {
        "jobs": 2, "dashboards": 1, "schemas": 1, "secret_scopes": 1, "alerts": 4,
    }  # fmt: skip


def test_every_declared_variable_is_used_and_described(bundle: Bundle) -> None:
    declared = bundle.config["variables"]
    texts = [path.read_text(encoding="utf-8") for path in [ROOT / "databricks.yml", *ROOT.glob("resources/*.yml")]]
    used = set(re.findall(r"\$\{var\.(\w+)", "\n".join(texts)))
    assert used == set(declared)
    assert all(variable.get("description") for variable in declared.values())


def test_only_prod_asks_for_what_has_no_default(bundle: Bundle) -> None:
    variables = bundle.config["variables"]
    without = {name for name, declared in variables.items() if not {"default", "lookup"} & set(declared)}
    assert without == {"job_service_principal", "reader_group", "alert_email"}
    assert without <= set(bundle.config["targets"]["dev"]["variables"])
    assert "variables" not in bundle.config["targets"]["prod"]


def test_prod_runs_as_the_service_principal_in_one_place(prod: Bundle) -> None:
    target = prod.config["targets"]["prod"]
    assert target["mode"] == "production"
    assert target["run_as"] == {"service_principal_name": "${var.job_service_principal}"}
    assert "current_user" not in target["workspace"]["root_path"]


def test_nothing_runs_by_itself_in_dev() -> None:
    dev = load_bundle("dev")
    assert dev.config["targets"]["dev"]["mode"] == "development"
    for job in JOBS:
        assert dev.resources["jobs"][job]["schedule"]["pause_status"] == "PAUSED"
    # Target mode development pauses what says nothing.
    assert all("pause_status" not in alert["schedule"] for alert in dev.resources["alerts"].values())


def test_prod_schedules_one_of_the_two_jobs(prod: Bundle) -> None:
    assert [prod.resources["jobs"][job]["schedule"]["pause_status"] for job in JOBS] == ["UNPAUSED", "PAUSED"]


@pytest.mark.parametrize("job", JOBS)
def test_job_is_serverless_queued_and_runs_once_at_a_time(prod: Bundle, job: str) -> None:
    settings = prod.resources["jobs"][job]
    [environment] = settings["environments"]
    task = wheel_task(prod, job)
    assert environment["spec"] == {"environment_version": "5", "dependencies": ["../dist/*.whl"]}
    assert task["environment_key"] == environment["environment_key"]
    assert (settings["queue"], settings["max_concurrent_runs"]) == ({"enabled": True}, 1)
    assert settings["timeout_seconds"] > 0
    assert (task["max_retries"], task["retry_on_timeout"]) == (0, False)
    assert settings["email_notifications"]["on_failure"] == ["oncall@example.com"]


@pytest.mark.parametrize("job", JOBS)
def test_run_stops_by_itself_half_an_hour_before_the_job_would_stop_it(prod: Bundle, job: str) -> None:
    settings = prod.resources["jobs"][job]
    [deadline] = [item["default"] for item in settings["parameters"] if item["name"] == "deadline_seconds"]
    # Starting, what is in flight, the last batches, statements and erasing need their time.
    assert 3_600 <= int(deadline) <= int(settings["timeout_seconds"]) - 1_800


@pytest.mark.parametrize("job", JOBS)
def test_every_setting_is_a_job_parameter_that_reaches_the_task(prod: Bundle, job: str) -> None:
    per_shard = {"workspace_ids"} if job.endswith("sharded") else set()
    declared = {item["name"] for item in prod.resources["jobs"][job]["parameters"]}
    expected = {setting.name for setting in SETTINGS} - NOT_ON_DATABRICKS | {PARTIAL_OK, LOG_LEVEL}
    assert declared - {"workspace_shards"} == expected - per_shard
    arguments = wheel_task(prod, job)["python_wheel_task"]["parameters"]
    passed = parse_parameters(arguments)
    assert set(passed) == expected
    for name, value in passed.items():
        assert value == ("{{input}}" if name in per_shard else f"{{{{job.parameters.{name}}}}}")


@pytest.mark.parametrize("job", JOBS)
def test_defaults_of_job_parameters_are_valid_settings(bundle: Bundle, job: str) -> None:
    values = {item["name"]: item["default"] for item in bundle.resources["jobs"][job]["parameters"]}
    assert all(isinstance(value, str) for value in values.values())
    settings = parse_settings({**values, "engine": "databricks"}, {})
    assert settings.engine.catalog == "main"


def test_shards_are_a_json_list_of_texts(prod: Bundle) -> None:
    parameters = prod.resources["jobs"]["genie_obs_ingest_sharded"]["parameters"]
    [shards] = [json.loads(item["default"]) for item in parameters if item["name"] == "workspace_shards"]
    assert all(isinstance(shard, str) for shard in shards)
    assert shards


def test_wheel_task_names_the_distribution_and_its_entry_point(prod: Bundle) -> None:
    task = wheel_task(prod, "genie_obs_ingest")["python_wheel_task"]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'name = "{task["package_name"].replace("_", "-")}"' in pyproject
    assert f'{task["entry_point"]} = "genie_obs:runtime"' in pyproject


def test_tables_dashboard_and_alerts_share_one_catalog_and_schema(bundle: Bundle) -> None:
    schema = bundle.resources["schemas"]["genie_analytics"]
    dashboard = bundle.resources["dashboards"]["genie_dashboard"]
    assert (dashboard["dataset_catalog"], dashboard["dataset_schema"]) == (schema["catalog_name"], schema["name"])
    # By reference, not by variable: target mode development puts a prefix in front of the schema's name.
    for path in ("ingest.job.yml", "ingest_sharded.job.yml", "dashboard.yml", "alerts.yml"):
        text = (ROOT / "resources" / path).read_text(encoding="utf-8")
        assert "${resources.schemas.genie_analytics.name}" in text
        assert "var.schema}" not in text


def test_dashboard_file_exists(prod: Bundle) -> None:
    assert (ROOT / "resources" / prod.resources["dashboards"]["genie_dashboard"]["file_path"]).is_file()


def test_scope_is_the_one_the_job_reads(prod: Bundle) -> None:
    [scope] = prod.resources["secret_scopes"].values()
    assert scope["name"] == SECRET_SCOPE
    assert [permission["level"] for permission in scope["permissions"]] == ["READ"]


def test_data_and_credentials_survive_a_destroy(prod: Bundle) -> None:
    for kind in ("schemas", "secret_scopes"):
        assert all(item["lifecycle"] == {"prevent_destroy": True} for item in prod.resources[kind].values())


def test_readers_cannot_write(prod: Bundle) -> None:
    grants = {
        grant["principal"]: grant["privileges"] for grant in prod.resources["schemas"]["genie_analytics"]["grants"]
    }
    assert grants["genie-readers"] == ["USE_SCHEMA", "SELECT"]


def test_alert_texts_are_those_of_the_files() -> None:
    subprocess.run([sys.executable, str(ROOT / "tools" / "build_alerts.py"), "--check"], check=True)
    files = {path.stem for path in (ROOT / "sql" / "alerts").glob("*.sql")}
    assert files == set(load_bundle("prod").resources["alerts"])


def test_alert_compares_a_column_that_its_query_has(prod: Bundle) -> None:
    for alert in prod.resources["alerts"].values():
        column = alert["evaluation"]["source"]["name"]
        assert re.search(rf"\bAS {column}\b", alert["query_text"])
        assert alert["evaluation"]["notification"]["subscriptions"] == [{"user_email": "oncall@example.com"}]


def test_all_alerts_run_at_the_same_minute(prod: Bundle) -> None:
    minutes = {alert["schedule"]["quartz_cron_schedule"].split()[1] for alert in prod.resources["alerts"].values()}
    assert len(minutes) == 1


def test_bundle_files_hold_no_address_of_a_workspace() -> None:
    for path in [ROOT / "databricks.yml", *ROOT.glob("resources/*.yml")]:
        text = path.read_text(encoding="utf-8")
        yaml.safe_load(text)
        assert "https://" not in text.replace("https://…", "")
