# `make` lists what can be done. Each target sets up all it needs by itself.

VENV ?= .venv
PORT ?= 8000
PY = $(VENV)/bin/python
CRM = $(PY) -m crmkit
ARGS ?=
CHECKED = crmkit contracts demo services gateway examples scripts
# The addresses of the running stack, for commands that work on its databases.
RUNNING = test -f var/environment || { echo "Nothing is running; start it first: make run" >&2; exit 1; }; \
	set -a; . var/environment; set +a

# Tests that are compiled anew for every run cost three seconds, and some machines ask for that.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run up test check sbom bench chaos migrate revision openapi fmt clean lock setup setup-dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Run everything on this machine (PORT=8000)
	@PORT=$(PORT) $(CRM) up $(ARGS)

up: setup ## The same with several of a process: make up SCALE=sales=3,relay=2
	@PORT=$(PORT) $(CRM) up $(if $(SCALE),--scale $(SCALE)) $(ARGS)

test: setup-dev ## Run all tests; starts the servers they need (ARGS="-k mail")
	@$(PY) -m pytest $(ARGS)

check: setup-dev ## Format, lint, types, imports, secrets, and the tests that need no server
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) scripts/secrets_left.py
	@$(VENV)/bin/bandit -q -c pyproject.toml -r $(CHECKED) & \
		$(PY) -m pytest -m "not server and not chaos" $(ARGS) && wait $$!

sbom: setup-dev ## Write what an installation is made of to var/sbom.json (CycloneDX)
	@mkdir -p var
	@sh scripts/sbom.sh $(VENV) var/sbom.json

bench: setup-dev ## Measure what docs/performance.md promises (ONLY=B3, ARGS=--quick)
	@$(PY) -m bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

chaos: setup-dev ## Break everything under load; write what was lost to docs/reliability.md
	@$(PY) -m pytest tests/chaos -m "" -s $(ARGS); code=$$?; $(PY) -m tests.chaos.report; exit $$code

migrate: setup ## Bring the running stack's databases up to date
	@$(RUNNING); $(CRM) migrate $(OWNER)

revision: setup ## Write a migration from the models: make revision OWNER=sales M="Add quotes."
	@test -n "$(OWNER)" -a -n "$(M)" || { echo 'Say: make revision OWNER=sales M="Add quotes."' >&2; exit 1; }
	@$(RUNNING); $(CRM) revision $(OWNER) -m "$(M)"

openapi: setup ## Write the description of the API to var/openapi.json
	@mkdir -p var
	@$(PY) -m gateway.openapi > var/openapi.json

fmt: setup-dev ## Format the code and fix what can be fixed
	@$(VENV)/bin/ruff check --fix --quiet . || true
	@$(VENV)/bin/ruff format .

clean: ## Remove var/ with all data (refuses while the stack runs)
	@! test -d var || python3 crmkit/local/lock.py var
	@rm -rf var

lock: setup ## Write the lock files from pyproject.toml
	@sh scripts/lock.sh $(PY)

.env: ## Write .env with fresh secrets, for docker compose
	@(umask 077; python3 scripts/new_env.py > $@.new && mv $@.new $@)

setup:
	@sh scripts/environment.sh $(VENV) requirements.lock

setup-dev:
	@sh scripts/environment.sh $(VENV) requirements-dev.lock
