# One command each; every target does its own set-up and reuses it the next time.
# Needs Python >= 3.11 and make. Uses uv when it is on PATH, pip otherwise.
PY ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export TRADER_HOME ?= $(CURDIR)/.trader
SAMPLE ?= deep

.DEFAULT_GOAL := help
.PHONY: help demo test check dev serve lock clean

help:  ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PY) -c 'import sys; sys.exit("trader_pipeline needs Python 3.11 or newer, $(PY) is " + sys.version.split()[0] + "; set PY=python3.11") if sys.version_info < (3, 11) else None'
	@if command -v uv >/dev/null 2>&1; then uv venv -q --seed --python $(PY) $(VENV); else $(PY) -m venv $(VENV); fi

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (some minutes the first time)"
	@if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python -c constraints.txt -e .; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check --prefer-binary -c constraints.txt -e .; fi
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check --prefer-binary -c constraints.txt -e '.[dev]'; fi
	@touch $@

demo: $(VENV)/.installed  ## Real data to predictions, decisions and a report, in two to three minutes (SAMPLE=broad for the faulty one)
	$(BIN)/trader demo --sample $(SAMPLE)

test: $(VENV)/.installed-dev  ## All tests that need no accelerator
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not gpu and not long"

check: $(VENV)/.installed-dev  ## Lint, format, types, layer contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dev: $(VENV)/.installed  ## The Dagster UI on this checkout
	$(BIN)/trader dev

serve: $(VENV)/.installed  ## The dashboard
	$(BIN)/trader serve

lock: $(VENV)/.installed-dev  ## Write constraints.txt from what is installed
	@$(BIN)/python -m pip freeze --all --exclude-editable | grep -viE '^(pip|setuptools|wheel|hatchling)==' | sed -E 's/\+cpu$$//' | sort -f > constraints.txt
	@wc -l constraints.txt

clean:  ## Remove the virtual environment, caches and the home of `make demo`
	rm -rf $(VENV) .trader .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
