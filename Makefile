# Everything sets itself up: a virtual environment in .venv, made anew when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REPORT_FLAGS ?=

.PHONY: report test servers check lint types contracts docs bench golden clean

report: $(VENV)/runtime ## A report of this host
	$(BIN)/hugepage-advisor report $(REPORT_FLAGS)

test: $(VENV)/dev servers ## All tests: side by side, then, one by one, those that use this machine's kernel
	$(BIN)/python -m pytest -m "not host or beside" --numprocesses logical --maxprocesses 8 --dist worksteal
	$(BIN)/python -m pytest -m "host and not beside"

servers: ## What host tests start: installed with apt as root where it is missing, never started (INSTALL=no: nothing)
	tests/host/install_servers.sh

check: lint types contracts docs test ## All that CI checks

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

contracts: $(VENV)/dev ## One-way flow between rooms
	$(BIN)/lint-imports

docs: $(VENV)/dev ## Generated documentation is current
	$(BIN)/python -m tests.generate_docs --check

bench: $(VENV)/dev ## Ratios against stated floors; takes minutes
	$(BIN)/python -m tests.benchmarks.collect_cost
	$(BIN)/python -m tests.benchmarks.record_cost
	$(BIN)/python -m tests.benchmarks.choices
	$(BIN)/python -m tests.benchmarks.sparse_scan
	$(BIN)/python -m tests.benchmarks.trial_coverage
	$(BIN)/python -m tests.benchmarks.tui_paint
	$(BIN)/python -m tests.benchmarks.tui_tick
	$(BIN)/python -m tests.benchmarks.score_cost
	$(BIN)/python -m tests.benchmarks.dask_cost
	$(BIN)/python -m tests.benchmarks.scale

golden: $(VENV)/dev ## Write schema, generated docs and golden files anew; read the difference before committing
	$(BIN)/python -m advisor.report.schema
	$(BIN)/python -m advisor.trial.schema
	$(BIN)/python -m tests.generate_docs
	$(BIN)/python -m pytest -q tests/render tests/tui/test_pictures.py --update-golden

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist
