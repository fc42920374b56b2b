# Everything starts here: `make serve` and `make test` need Python >= 3.11 with venv, and a registry.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
SECONDS_PER_HARNESS ?= 20

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve test integration check format fuzz bench bench-smoke lock clean

help:  ## List what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.runtime  ## Install the gateway into .venv
setup-dev: $(VENV)/.dev  ## Install what tests, checks and benchmarks need, too

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python >= 3.11 with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

serve: setup  ## Serve the demo on 127.0.0.1:8080
	$(BIN)/ipfs-gateway demo

test: setup-dev  ## Run the tests; those that need a missing peer skip and say how to get it
	$(BIN)/python -m pytest -n auto --dist loadgroup --ignore tests/integration \
		--cov --cov-report=term --cov-fail-under=95
	$(BIN)/python -m coverage report --include 'gateway/content/*,gateway/protocol/*' --fail-under=100

integration: setup-dev  ## Run the tests against real peers: Kubo (GATEWAY_PEERS or PATH) and nginx
	$(BIN)/python -m pytest tests/integration

check: setup-dev  ## Format, lint, types, import contracts, dead code, dependencies, Dockerfile
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry .
	$(BIN)/hadolint Dockerfile

format: setup-dev  ## Format, and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

fuzz: setup-dev  ## Fuzz each parser for SECONDS_PER_HARNESS (20)
	@for harness in tests/fuzz/fuzz_*.py; do \
		name=$$(basename $$harness .py | sed s/fuzz_//); \
		scratch=$$(mktemp -d); \
		echo "fuzzing $$name for $(SECONDS_PER_HARNESS) s"; \
		$(BIN)/python $$harness -max_total_time=$(SECONDS_PER_HARNESS) -verbosity=0 \
			$$scratch tests/fuzz/corpus/$$name || exit 1; \
		rm -rf $$scratch; \
	done

bench: setup-dev  ## Measure hits, misses and a realistic load; tables with ratios
	$(BIN)/python -m benchmarks

bench-smoke: setup-dev  ## The same, just long enough to see that it works
	$(BIN)/python -m benchmarks --smoke

lock:  ## Pin the newest dependencies, with hashes (needs uv)
	uv pip compile pyproject.toml --upgrade --generate-hashes --universal --python-version 3.11 \
		--no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml --upgrade --group dev --group fuzz --generate-hashes --universal \
		--python-version 3.11 --no-header --no-annotate -o requirements-dev.lock

clean:  ## Remove what was installed and measured
	rm -rf $(VENV) *.egg-info benchmarks/results .coverage
