# What there is to do here: `make` or `make help`.
#
# Needs Python >= 3.11 with venv, and nothing else; everything goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

# Seconds for each fuzzing harness.
FUZZ_S ?= 20
# More arguments for pytest: make unit ARGS="-k cache -x"; coverage is then not judged, because only
# all tests together have it.
ARGS ?=
WHOLE := gateway/content/*,gateway/protocol/*
COVERAGE := $(if $(strip $(ARGS)),,--cov --cov-report=term:skip-covered --cov-fail-under=97)

# Other people's clients: half a gigabyte of npm packages, so outside of here.
GATEWAY_CLIENTS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ipfs-gateway-ci/clients
export GATEWAY_CLIENTS

PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input install --no-deps
# What is installed is what was locked; bytecode is written when a module is first used.
INSTALL := $(PIP) --no-compile --require-hashes --requirement
# But where PYTHONDONTWRITEBYTECODE is set, as in many containers, every start would compile all that
# it needs again, for two thirds of its time: so that is used here once.
COMPILE := PYTHONDONTWRITEBYTECODE= $(BIN)/python -c \
	"import gateway.cli, gateway.ops.logs, gateway.processes.process, gateway.wiring.app"
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --quiet --group setup

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve check test unit integration integration-nginx conformance \
	clients bench bench-smoke fuzz lock clean

help: ## Show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

setup: $(VENV)/.runtime ## Install the gateway into .venv

setup-dev: $(VENV)/.dev ## Install everything for tests, checks and benchmarks, too

serve: setup ## Run the gateway with a demo on http://127.0.0.1:8080
	@$(BIN)/ipfs-gateway demo

check: setup-dev ## Check formatting, style, types, layers, dead code, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry gateway
	$(BIN)/hadolint Dockerfile

test: unit integration ## Run all tests

unit: setup-dev ## Run the tests that need nothing else, with their coverage
	$(BIN)/pytest --ignore=tests/integration --ignore=tests/conformance -n auto $(COVERAGE) $(ARGS)
	$(if $(COVERAGE),$(BIN)/coverage report --include='$(WHOLE)' --fail-under=100)

integration: setup-dev ## Run the tests against real peers and clients; skips what is not there
	$(BIN)/pytest tests/integration $(ARGS)

integration-nginx: setup-dev ## Run these once more with our nginx before each gateway
	GATEWAY_BEHIND_NGINX=1 $(BIN)/pytest tests/integration $(ARGS)

conformance: setup-dev ## Run the official suite; the table goes to build/conformance.md
	$(BIN)/pytest tests/conformance $(ARGS)

clients: $(GATEWAY_CLIENTS)/.done ## Install clients of other people for the tests (needs npm; 550 MB)

bench: setup-dev ## Measure hits, misses and a load; takes some minutes
	$(BIN)/python -m benchmarks

bench-smoke: setup-dev ## See that the benchmarks run
	$(BIN)/python -m benchmarks --smoke

fuzz: setup-dev ## Fuzz each parser for FUZZ_S seconds
	@$(BIN)/python -c 'import atheris' 2>/dev/null \
		|| { echo "fuzzing needs atheris, which has wheels for Python 3.11 on Linux" >&2; exit 1; }
	@set -e; for harness in tests/fuzz/fuzz_*.py; do \
		name=$$(basename $$harness .py | sed s/fuzz_//); found=build/fuzz/$$name; \
		mkdir -p $$found; echo "$$name for $(FUZZ_S) s"; \
		$(BIN)/python $$harness -max_total_time=$(FUZZ_S) -artifact_prefix=$$found/ \
			$$found tests/fuzz/corpus/$$name 2>$$found.log \
			|| { tail -n 40 $$found.log; exit 1; }; \
	done

lock: ## Resolve the dependencies anew (needs uv)
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --group fuzz --constraint requirements.lock --output-file requirements-dev.lock

clean: ## Remove what was installed and built
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 with venv was found;" \
		"on Debian: apt install python3-venv; or make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON); this takes a minute"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^pip==/,/[^\\]$$/p' requirements.lock > $(VENV)/pip.lock
	@$(INSTALL) $(VENV)/pip.lock

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) requirements.lock
	@$(PIP) --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "installing what tests and checks need; this takes another minute"
	@$(INSTALL) requirements-dev.lock
	@touch $@

$(GATEWAY_CLIENTS)/.done: tests/integration/clients/package-lock.json
	@echo "installing clients into $(GATEWAY_CLIENTS); this takes a minute"
	@mkdir -p $(GATEWAY_CLIENTS)
	@cp tests/integration/clients/package.json tests/integration/clients/package-lock.json $(GATEWAY_CLIENTS)
	@npm ci --prefix $(GATEWAY_CLIENTS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
