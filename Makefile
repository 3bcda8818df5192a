# Every verb first brings up its own .venv; nothing needs to be installed but Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
MEMBERS := $(wildcard libs/*/pyproject.toml packages/*/pyproject.toml)
CODE := libs packages tests benchmarks deploy examples tools
ARGS ?=
SEEDS ?= 20

# The tests start services hundreds of times: each module is compiled once.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types contracts check bench storms takeovers faults poison halts hostile mutants env containers lock clean

help: ## list the verbs
	@echo "millrace: make VERB [ARGS=\"…\"]"
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r v t; do printf '  %-10s %s\n' "$$v" "$$t"; done

$(READY): requirements.lock $(MEMBERS) VERSION
	@$(PYTHON) -c 'import sys; sys.exit("millrace needs Python 3.11 or newer; this is %d.%d. Say which: make PYTHON=python3.11 …" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "Setting up .venv (once): creating it …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv: installing the pinned packages (about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "Setting up .venv: installing millrace itself …"
	@$(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python $(foreach m,$(MEMBERS),-e $(dir $(m)))
	@touch $@
	@echo "Setting up .venv: done."

install: $(READY) ## create .venv with millrace and all that it needs, or bring it up to date

demo: $(READY) ## run the whole platform on embedded parts: make demo ARGS="--for 20"
	@$(BIN)/millrace demo $(ARGS)

.venv/.browser: $(READY)
	@$(BIN)/python -m tests.support.browser
	@touch $@

test: .venv/.browser ## run the tests: all, or make test ARGS="-k book"
ifeq ($(ARGS),)
	@echo "pytest: four tests at a time, at most three of them of the whole platform …"
	@$(BIN)/python -m pytest -q -n 4
else
	@$(BIN)/python -m pytest $(ARGS)
endif

lint: $(READY) ## check the style and the format of the code
	@echo "ruff …" && $(BIN)/ruff check $(CODE) && $(BIN)/ruff format --check --quiet $(CODE)

types: $(READY) ## check the types
	@echo "mypy …" && $(BIN)/mypy $(wildcard libs/*/src packages/*/src)

contracts: $(READY) ## check who imports whom, import circles, sizes of files, errors of decoders and replaced words
	@echo "import-linter …" && $(BIN)/lint-imports
	@$(BIN)/python tools/circles.py
	@$(BIN)/python tools/sizes.py
	@$(BIN)/python tools/decoders.py
	@$(BIN)/python tools/words.py

check: lint ## lint, types, import contracts and tests: what CI runs
	@echo "mypy and import-linter run beside the tests; what they say follows at the end"
	@log=$$(mktemp); $(MAKE) --no-print-directory types contracts >"$$log" 2>&1 & beside=$$!; failed=0; \
	$(MAKE) --no-print-directory test || failed=1; \
	wait $$beside || failed=1; cat "$$log"; rm -f "$$log"; exit $$failed

bench: $(READY) ## measure speed, each figure against its limit taken in the same run
	@$(BIN)/python -m benchmarks $(ARGS)

storms: $(READY) ## disturb a gatherer by a seed and compare what it shows: make storms ARGS="--frames 1000000"
	@$(BIN)/python -m tests.storms $(ARGS)

faults: $(READY) ## let everything fail around executors, by seeds, and judge the answers: make faults SEEDS=1000
	@$(BIN)/python -m tests.faults --seeds $(SEEDS) $(ARGS)

takeovers: $(READY) ## kill, freeze and replace executors under load: make takeovers ARGS="--takeovers 100"
	@$(BIN)/python -m tests.takeovers $(ARGS)

poison: $(READY) ## send poisonous requests between good ones: make poison ARGS="--requests 100000"
	@$(BIN)/python -m tests.poison $(ARGS)

halts: $(READY) ## halt an executor under load and with open orders, and say how soon: make halts ARGS="--halts 10"
	@$(BIN)/python -m tests.halts $(ARGS)

hostile: $(READY) ## leave hostile inputs in Redis beside good traffic, on both databases: make hostile SEEDS=20
	@$(BIN)/python -m tests.hostile --seeds $(SEEDS) $(ARGS)

mutants: $(READY) ## change the code of order state, ledger, risk or resolution, and see which changes no test notices: make mutants ARGS="risk"
	@$(BIN)/python tools/mutants.py $(ARGS)

env: ## make .env, with random passwords and keys; one that exists is left as it is
	@$(PYTHON) tools/env.py

containers: .venv/.browser env ## build the image, try both compose files, end them: make containers COMPOSE="podman-compose"
	@$(BIN)/python -m deploy.containers.check

lock: $(READY) ## pin the newest versions of everything into requirements.lock
	@$(BIN)/python tools/lock.py

clean: ## remove the .venv, caches and the demo's data
	@rm -rf .venv .mutants .millrace .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
