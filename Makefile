# Every target works on a fresh machine with Python >= 3.11: it makes .venv by itself.
PYTHON ?= python3
FUZZ_SECONDS ?= 120
UV_VERSION := 0.13.9
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# Without bytecode every process that a test starts compiles pyspark and pandas again: 1 s and more.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := .venv

DIST ?= loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-spark test-faults test-every-fault test-mutations test-all lint format dashboard bench bench-dashboard fuzz licences sbom audit clean

help: ## what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/.installed ## install into .venv, nothing else

.venv/.installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv sync --quiet --locked --extra local --extra preview --python $(BIN)/python --inexact --compile-bytecode
	$(BIN)/python -m compileall -q python
	@touch $@

demo: setup ## simulated account, whole extraction job, Delta tables in ./demo
	$(BIN)/genie-obs demo --folder demo

WITHOUT ?= -m "not long"
test: setup ## what every push must pass: unit tests, statements, integration, browser, deployment and the wheel
	$(BIN)/pytest -n 2 --dist $(DIST) --no-loadscope-reorder $(WITHOUT)

test-spark: setup ## the SQL and the whole job on Apache Spark with Delta Lake (Java 17, Maven); WITHOUT= for all of it
	$(BIN)/python tools/spark_connect_server.py --prepare
	$(BIN)/pytest tests/spark -n 2 --dist loadfile $(WITHOUT)

test-all: ## everything, for hours: what a push tests, all of Spark, 60 histories, every fault, mutations, ten times the fuzz
	$(MAKE) lint licences audit
	$(MAKE) test test-spark WITHOUT=
	$(MAKE) test-faults HISTORIES=60
	$(MAKE) test-every-fault
	$(MAKE) test-mutations
	GENIE_OBS_FUZZ_FACTOR=10 $(BIN)/pytest tests/fuzz -n 2 --timeout 3000

HISTORIES ?= 20
PER_SEED ?= 10
SEED ?= 1
test-faults: setup ## random histories with faults, kills, two runs at once and full disks against the truth; HISTORIES=500 SEED=1 RESULTS=FILE
	PYTHONPATH=python:. $(BIN)/python -m tests.faults.campaign \
	  --histories $(HISTORIES) --per-seed $(PER_SEED) --seed $(SEED) $(if $(RESULTS),--results $(RESULTS))

MESSAGES ?= 10000
SHARE ?= 0.25
test-every-fault: setup ## a whole account read while one answer in four is a fault; MESSAGES=10000 SHARE=0.25
	PYTHONPATH=python:. $(BIN)/python -m tests.faults.every_fault --messages $(MESSAGES) --share $(SHARE)

test-mutations: setup ## one bug per guarantee, put in on purpose: each must be caught by its test
	$(BIN)/python -m tools.mutations

lint: setup ## format check, linter, strict types, imports between rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo pyproject.toml

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

dashboard: setup ## rebuild what is made from sql/ and the table declarations
	$(BIN)/python tools/build_dashboard.py
	$(BIN)/python tools/build_data_model.py
	$(BIN)/python tools/build_alerts.py
	$(BIN)/jupytext --quiet --update --to ipynb --output "docs/Genie Observability Demo.ipynb" tools/demo_notebook.py

bench: setup ## calls, speed, growth, memory and start-up beside the SDK and dlt; BENCH=--quick for a few minutes
	$(BIN)/uv sync --quiet --locked --extra local --extra preview --group bench --python $(BIN)/python --inexact
	$(BIN)/python -m benchmarks $(BENCH)

bench-dashboard: setup ## every query of the dashboard over 1 million messages, and the time to the first chart
	$(BIN)/python -m benchmarks.dashboard_preview

fuzz: setup ## the parsers against mutated input, ten times as much as in CI, then coverage-guided (Linux and macOS)
	GENIE_OBS_FUZZ_FACTOR=10 $(BIN)/pytest tests/fuzz -n 2 --timeout 3000
	$(BIN)/uv sync --quiet --locked --extra local --extra preview --group fuzz --python $(BIN)/python --inexact
	$(BIN)/python -m tests.fuzz.coverage_guided -max_total_time=$(FUZZ_SECONDS)

# The lock, without `connect`: it excludes `local`, and databricks-connect is under Databricks' own licence.
EXPORT = $(BIN)/uv export --quiet --frozen --no-dev --extra local --extra preview

licences: setup ## licences of what the wheel pulls in; fails on one that is not allowed
	@names=$$($(EXPORT) --no-emit-project --no-hashes --no-annotate --no-header | sed 's/==.*//') && $(BIN)/pip-licenses --packages $$names

SBOM ?= dist/genie-obs.cdx.json
sbom: setup ## software bill of materials of the wheel (CycloneDX), from the lock file
	@mkdir -p $(dir $(SBOM))
	$(EXPORT) --format cyclonedx1.5 --output-file $(SBOM)
	$(BIN)/python tools/sbom.py $(SBOM)

# `uv audit` ends with 1 when something is known, with 2 when it got no answer. Only a service that cannot be reached is no failure.
UNREACHABLE := client error \(connect\)|timed out
audit: setup ## known vulnerabilities of what the wheel pulls in, as locked; says so where there is no network; AUDIT="--ignore ID"
	@said=$$($(BIN)/uv audit --preview-features audit-command --frozen --no-default-groups $(AUDIT) 2>&1); code=$$?; echo "$$said"; \
	if [ $$code = 2 ] && echo "$$said" | grep -qiE '$(UNREACHABLE)'; then \
		echo "AUDIT SKIPPED: the service of known vulnerabilities cannot be reached from here. Nothing was checked." >&2; exit 0; \
	fi; exit $$code

clean: ## remove everything that was made here
	rm -rf .venv demo dist build .pytest_cache .mypy_cache .ruff_cache
