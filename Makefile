# The commands for development. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := $(addprefix requirements/,control-plane.txt data-plane.txt audit-consumer.txt servers.txt dev.txt)
INSTALLED := $(VENV)/.installed
LOCAL := $(BIN)/python -m deploy.local

# Use the system's certificate store: uv's own store lacks the certificates of TLS proxies.
export UV_SYSTEM_CERTS := 1

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(INSTALLED): requirements/bootstrap.txt $(LOCKS)
	@command -v $(PYTHON) >/dev/null \
	    || { echo "$(PYTHON) was not found. Install Python 3.11 or newer, or set its name: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo "$(PYTHON) cannot create virtual environments. Install its venv module (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "Installing the locked packages into $(VENV)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(addprefix -r ,$(LOCKS))
	@touch $@

.PHONY: setup
setup: $(INSTALLED) ## Create the virtual environment from the lock files

.PHONY: check
check: $(INSTALLED) ## Check format, lint, types, import contracts and dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .

.PHONY: format
format: $(INSTALLED) ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: test
test: $(INSTALLED) ## Run the whole test suite, on real servers that it starts
	$(BIN)/pytest $(TESTS)

.PHONY: unit
unit: $(INSTALLED) ## Run the tests that need no server
	$(BIN)/pytest tests/unit

.PHONY: up
up: $(INSTALLED) ## Start the servers and the three services
	@$(LOCAL) up

.PHONY: demo
demo: up ## Start everything and show the main use case step by step
	@$(BIN)/python -m examples.demo

.PHONY: status
status: $(INSTALLED) ## Show the running processes and their URLs
	@$(LOCAL) status

.PHONY: logs
logs: $(INSTALLED) ## Show the end of every log, or of one: make logs NAME=kafka
	@$(LOCAL) logs $(NAME)

.PHONY: down
down: $(INSTALLED) ## Stop everything that `up` started
	@$(LOCAL) down

.PHONY: docs
docs: $(INSTALLED) ## Write the reference pages from the code
	@$(BIN)/python -m docs.reference

.PHONY: lock
lock: $(INSTALLED) ## Upgrade and pin every dependency, with hashes
	@requirements/lock.sh --upgrade
