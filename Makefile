# Every command a developer needs. `make` alone lists them.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Where pip finds torch. PyPI's Linux wheels carry CUDA, several GB; for the CPU build:
#   make run TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP_INSTALL := $(BIN)/python -m pip install -qq --constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

LIST ?= library/lists/recent-ml-research.md
BUDGET ?= 200s
ON ?=

.DEFAULT_GOAL := help
.PHONY: help setup run report test fmt lint types imports docs check bench gpu clean

help:    ## Show this help
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/dev ## Make .venv with everything a developer needs

.venv/run: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Studiolo needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Setting up .venv with $(PYTHON) (about a minute; torch alone is 200 MB or more) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	@$(PIP_INSTALL) --editable '.[run,web,pdf]'
	@touch $@

.venv/dev: .venv/run
	@echo "Adding what the tests need ..."
	@$(PIP_INSTALL) --editable '.[fast,cluster]' --group dev
	@touch $@

library/lists/recent-ml-research.md: | .venv/run
	@$(BIN)/studiolo init library

run: .venv/run $(LIST) ## Run a list (the bundled one, or LIST=path) and write its report; BUDGET=200s
	@$(BIN)/studiolo run $(LIST) --budget $(BUDGET)

report: .venv/run $(LIST) ## Write the report of a list from what is recorded
	@$(BIN)/studiolo report $(LIST)

test: .venv/dev ## The tests, without those marked slow or soak; ON='-k lists' or ON='-m slow' for pytest options
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist worksteal --jaxtyping-packages=studiolo.nn,studiolo.papers,beartype.beartype -m 'not slow and not soak' $(ON)

fmt: .venv/dev ## Format and fix
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: .venv/dev ## Formatting and lint, changing nothing
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: .venv/dev ## Type check
	@$(BIN)/mypy

imports: .venv/dev ## Which room may import which
	@$(BIN)/lint-imports --no-cache

docs: .venv/dev ## Build the documentation site into build/documentation/site, strictly
	@$(BIN)/python docs/build.py

check: lint types imports test docs ## All of the above; CI also runs the slow tests, which install the package somewhere clean

bench: .venv/dev ## Side by side with the strongest peers: make bench ON=nade
	@$(BIN)/python bench/$(ON).py

gpu: $(if $(filter .venv/bin,$(BIN)),.venv/dev) ## On a GPU: its tests, bench and claims, in 8 minutes; DRY=1 tries them on a CPU; BIN=/usr/bin takes that python
	@$(BIN)/python3 bench/gpu.py $(if $(DRY),--dry)

clean: ## Remove what make made
	rm -rf .venv library .pytest_cache .mypy_cache .ruff_cache .hypothesis
