# SPDX-License-Identifier: Apache-2.0
# The one entry point, for people and for CI. `make help` lists the targets.

BIN := $(CURDIR)/.venv/bin
COLLECTION := ansible_collections/iac/gitops
PYTEST_ARGS ?=
# Each worker has a control plane of its own, of two gigabytes in the end, and waits half of the time: four where there is
# memory for them, else two. A file's tests stay together, in the order of the files: the long ones come first. Tools
# that are missing are built before, where the progress is seen.
WORKERS ?= $(shell cat /proc/meminfo 2>/dev/null | awk '/MemAvailable/ { more = $$2 > 12000000 } END { print more ? 4 : 2 }')
BENCH_ARGS ?=

# Only `make demo CONTEXT=...` leads the demo to another cluster, never a variable that happens to be exported.
ifeq ($(origin CONTEXT),environment)
CONTEXT :=
endif

# Playbooks and Pulumi start thousands of processes, and each would compile all that it imports: half of its time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test lint format types layers bench collection constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with everything (PYTHON=python3.12 picks the interpreter)
	@python3 scripts/setup.py

demo: setup ## the whole story on a local control plane (FLUX=1 with Flux; KEEP=1 keeps it; CONTEXT= GIT_URL= use another cluster)
	@$(BIN)/pulumi-gitops demo $(if $(FLUX),--flux) $(if $(KEEP),--keep) $(if $(CONTEXT),--context '$(CONTEXT)') $(if $(GIT_URL),--git-url '$(GIT_URL)')

test: setup lint types layers ## all checks, then all tests (PYTEST_ARGS="-k argocd" runs some)
	@$(if $(PYTEST_ARGS),,$(BIN)/pulumi-gitops sandbox build >/dev/null)
	@$(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup ## style, and rules that hold for every file
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet --diff
	@$(BIN)/python scripts/check_files.py

format: setup ## format the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: setup ## mypy on everything, pyright on the public Pulumi API
	@$(BIN)/mypy
	@$(BIN)/pyright

layers: setup ## who may import whom
	@$(BIN)/lint-imports --no-logo

bench: setup ## measure, and compare with other tools: 10 minutes (FULL=1: hours; BENCH_ARGS=--help)
	@$(BIN)/python tests/bench $(if $(FULL),--full) $(BENCH_ARGS)

collection: setup ## build the Ansible collection's tarball into dist/
	@cd $(COLLECTION) && $(BIN)/ansible-galaxy collection build --force --output-path $(CURDIR)/dist

# Versions younger than a week are left alone: most malicious uploads are found by then.
constraints: ## pin and hash all dependencies anew for every platform (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --exclude-newer "7 days" \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" \
		--all-extras --group dev pyproject.toml --output-file requirements/dev.txt

clean: ## remove what make made in this folder (the sandbox's tools stay in the user's cache)
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find pulumi_gitops ansible_collections scripts tests -name __pycache__ -prune -exec rm -rf {} +
