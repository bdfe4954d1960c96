# Two commands matter: `make demo` and `make test`. Both set up what they need, and are quick the second time.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
LOCK := .github/requirements.lock
READY := $(VENV)/.ready-dev
RUN := -n 2 --dist worksteal
# What the tests of the test doubles are about, and the client libraries that they are held to.
DOUBLES := tests/github tests/slack tests/messages .github/requirements.lock
# Collecting all tests takes ten seconds: where those lie that run alone.
ALONE = $(shell grep -rl --include='test_*.py' 'mark\.alone' tests)
# The tests import the same modules in many processes: let those be compiled once, whatever this machine's habit.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 28

demo: $(READY) ## Watch a real campaign on this machine, from nothing to a report
	$(BIN)/nocturne demo

test: $(READY) ## Check and run the tests (minutes), or those of one place only: T=tests/bot/test_loop.py
	@$(MAKE) --no-print-directory --jobs=2 lint quick

test-all: $(READY) ## Run the long tests, and those of the test doubles if those changed: T=PATH
	$(BIN)/pytest $(RUN) -m "long and not slow and not alone" $(T) || test $$? = 5
	$(BIN)/pytest -m "alone and not slow" $(or $(T),$(ALONE)) || test $$? = 5
	@if .ci/changed $(DOUBLES); then $(MAKE) --no-print-directory test-doubles; else \
		echo "The test doubles did not change: make test-doubles runs their tests"; fi

test-doubles: $(READY) ## Run the tests of the test doubles (GitHub, Slack, Claude): T=PATH
	$(BIN)/pytest $(RUN) -m "doubles and not slow" $(or $(T),$(filter tests/%,$(DOUBLES))) || test $$? = 5

test-browser: $(READY) ## Run what needs a Chromium, which `make test` skips if there is none
	$(BIN)/pytest $(RUN) -m "not long and not slow" tests/bot/test_report_browser.py

test-corpus: $(READY) ## Run every cheat and every honest model, of which the others run a part
	$(BIN)/pytest $(RUN) tests/evaluator/cheats tests/evaluator/honest \
		tests/evaluator/test_cuts.py::test_cheats_by_somebody_who_knows_of_cuts_are_refused

test-slow: $(READY) ## Run what would take CI too long, such as a night of sixty experiments on GitHub
	$(BIN)/pytest $(RUN) -m slow

.PHONY: quick
quick: $(READY)
	$(BIN)/pytest $(RUN) -m "not long and not doubles and not corpus and not slow" $(T)

lint: $(READY) ## Check style, types and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

schema: $(READY) ## Write again what is made from the configuration: JSON Schema and reference
	$(BIN)/python -m bot.config.docs > .github/nocturne.schema.json
	$(BIN)/python -m bot.config.docs reference > docs/configuration.md

lock: $(READY) ## Pin the packages anew, for every supported Python, with the hashes of their files
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --upgrade --quiet \
		--generate-hashes --no-annotate --custom-compile-command "make lock" --output-file $(LOCK)
	$(BIN)/uv pip compile pyproject.toml --extra build --universal --python-version 3.10 --quiet --constraint $(LOCK) \
		--generate-hashes --no-annotate --custom-compile-command "make lock" --output-file .github/action/requirements.lock

bench-demo: $(READY) ## Ten demo campaigns with different seeds: how many end confirmed
	$(BIN)/python -m tests.benchmarks.demo_campaigns

bench-kill: $(READY) ## Kill a campaign at random moments and go on
	$(BIN)/python -m tests.benchmarks.kill_campaigns

bench-faults: $(READY) ## Campaigns under faults of every kind, and what must hold at their end: FAULTS=300, ARGS="--kept FILE"
	$(BIN)/python -m tests.benchmarks.faults $(if $(FAULTS),--faults $(FAULTS)) $(ARGS)

bench-bookkeeping: $(READY) ## What an experiment costs beside its training: CPU, git processes, pushes
	$(BIN)/python -m tests.benchmarks.bookkeeping --list

bench-evaluator: $(READY) ## What jail, audit and trusted scoring cost
	$(BIN)/python -m tests.benchmarks.evaluator_cost

bench-audits: $(READY) ## Which peeks audits find, alone and added up, and how often they refuse an honest model
	$(BIN)/python -m tests.benchmarks.audits

bench-clock: $(READY) ## An unchanged reference beside busy processes: how often it is refused for its time
	$(BIN)/python -m tests.benchmarks.clock_under_load

bench-call: $(READY) ## What difference in speed `call` resolves in ten paired rounds beside busy processes
	$(BIN)/python -m tests.benchmarks.call_resolution

bench-cuts: $(READY) ## How large a cheat the cuts catch, and how often they refuse an honest candidate
	$(BIN)/python -m tests.benchmarks.cuts

bench-hostile: $(READY) ## 100,000 hostile texts through every writer: what they do more than be read: SEED=1
	$(BIN)/python -m tests.benchmarks.hostile $(if $(SEED),--seed $(SEED))

bench-github: $(READY) ## Campaigns on a GitHub on loopback, run by act: outcome and requests
	$(BIN)/python -m tests.benchmarks.github_campaign

bench-gestures: $(READY) ## Thirty experiments on a GitHub on loopback in which people close, reopen, push, label: what came of each
	$(BIN)/python -m tests.benchmarks.gestures

bench-unread: $(READY) ## The same night with a reader, with nobody reading, and as unread merges were held before
	$(BIN)/python -m tests.benchmarks.unread $(ARGS)

bench-start: $(READY) ## How long `nocturne --help` takes
	$(BIN)/python -m tests.benchmarks.start_time

bench-search: $(READY) ## The offline search beside blind mutation, Optuna's TPE and cmaes: SEEDS=60, LIBRARIES=1 runs these too, ARGS="--experiments 30"
	$(BIN)/python -m tests.benchmarks.search $(if $(SEEDS),--seeds $(SEEDS)) $(if $(LIBRARIES),--record) $(ARGS)

bench-night: $(READY) ## How busy the GPU is, with a mind of 20 s and trainings of 30 s on a GitHub at 100 ms: ARGS="--scale 0.1"
	$(BIN)/python -m tests.benchmarks.night $(ARGS)

bench-scale: $(READY) ## What append, next step, prompt, status and report cost at 100 to 10,000 experiments: ARGS="--sizes 100,1000"
	$(BIN)/python -m tests.benchmarks.scale $(ARGS)

bench-novelty: $(READY) ## Repeated proposals sent back or shown, in recorded traces: TRACES=DIR
	$(BIN)/python -m tests.benchmarks.novelty --traces "$(TRACES)"

bench-truth: $(READY) ## True gain and false merges of every decision rule, at equal GPU time: CAMPAIGNS=200 RUNS=100,300 ARGS="--kept FILE --rows ..."
	$(BIN)/python -m tests.benchmarks.truth $(if $(CAMPAIGNS),--campaigns $(CAMPAIGNS)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

bench-outer: $(READY) ## Mechanisms under trial on campaigns with recorded habits: ARGS="--repeats 2 --experiments 30"
	$(BIN)/python -m tests.benchmarks.outer $(ARGS)

bench-rungs-real: $(READY) ## Short trusted runs against whole ones on variants of the starter: ARGS="--run" makes more
	$(BIN)/python -m tests.benchmarks.rungs_real $(ARGS)

bench-agents: $(READY) ## Tokens and cache of a long memory; campaigns with minds that go wrong
	$(BIN)/python -m tests.benchmarks.agents

bench-repositories: $(READY) ## Shapes of real repositories, from `nocturne init` to a verdict: ONLY="NAME NAME"
	$(BIN)/python -m tests.benchmarks.repositories $(foreach name,$(ONLY),--only $(name))

first-hour: $(READY) ## Type what docs/first-hour.md shows, and write into it what the terminal says
	$(BIN)/python -m tests.benchmarks.first_hour

mutants: $(READY) ## Write known faults into a copy, one by one: the tests must catch each: ONLY="WORD WORD"
	$(BIN)/python -m tests.mutants $(if $(ONLY),--only $(ONLY))

shape: $(READY) ## What one experiment walks through, what imports what, how long files and functions are
	@$(BIN)/python -m tests.benchmarks.shape

check-gpu: ## What holds on this machine's GPU, with any Python that has torch: PYTHON=path/to/python
	@if "$(PYTHON)" -c 'import torch' 2>/dev/null; then python="$(PYTHON)"; else python=$(BIN)/python; fi; \
	test -x "$$(command -v "$$python")" || { echo "$(PYTHON) has no torch: make check-gpu PYTHON=path/to/python"; exit 2; }; \
	"$$python" tests/gpu/check_gpu.py

clean: ## Remove the environment and the demo
	rm -rf $(VENV) nocturne-demo .pytest_cache .mypy_cache .ruff_cache

# The environment: checked prerequisites, pinned packages, this checkout. Made again when a pin changes.
$(READY): pyproject.toml $(LOCK) .github/check-prerequisites.sh
	@sh .github/check-prerequisites.sh "$(PYTHON)"
	@echo "Setting up $(VENV) with PyTorch and pinned packages: some minutes, and only once"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m evaluator jail --into $(BIN) > $(VENV)/jail.txt || { cat $(VENV)/jail.txt; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
