# `make demo` and `make test` do all set-up themselves. `make help` lists what else there is.
SHELL := /bin/bash
PYTHON ?= python3
# Where torch comes from. The default finds the CPU build; for NVIDIA GPUs:
#   make install TORCH_SOURCE="--extra-index-url https://download.pytorch.org/whl/cu130"
# and TORCH_SOURCE= (empty) leaves the choice to pip's own settings.
TORCH_SOURCE ?= --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu
ONCE ?=
TESTS ?= tests
EXAMPLES ?= 20000
SEED ?= 4
CIRCLE ?=
# Test processes; each may hold the models (about 1.5 GB).
PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
BIN := .venv/bin

.PHONY: help install demo up doctor fuzz chaos circle test test-next check format schema docs bench lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install:  ## make .venv with everything in it (done once, then skipped)
	@$(PYTHON) tools/install.py --torch-source="$(TORCH_SOURCE)"

demo: install  ## the main job with a practice LMS; ONCE=1 ends after the table
	@$(BIN)/mlquiz demo $(if $(filter-out 0,$(ONCE)),--once)

up: install  ## run everything on this machine
	@$(BIN)/mlquiz up

doctor: install  ## look at every part and say what is wrong
	@$(BIN)/mlquiz doctor

fuzz: install  ## 20,000 mutated tokens and login requests; EXAMPLES=1000 for fewer
	@$(BIN)/python tools/install_openedx.py
	@MLQUIZ_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal tests/fuzz

chaos: install  ## 10,000 answers while everything breaks: does every grade arrive once? SEED=5 for other accidents
	@$(BIN)/python -m tests.chaos --seed $(SEED)

circle: install  ## answers train both models, which then grade and explain; CIRCLE="--mode lora" for other trainings
	@$(BIN)/python -m tests.circle $(CIRCLE)

test: install  ## all tests; TESTS=tests/unit for some
	@tools/ensure_chromium.sh
	@$(BIN)/python tools/install_openedx.py || echo "  the tests against Open edX will fail"
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(TESTS)

# The fork of the LTI library has the same import name: put in front of it, it takes its place.
test-next: install  ## all tests with pylti1p3next in place of pylti1p3
	@tools/ensure_chromium.sh
	@$(BIN)/python tools/install_openedx.py || echo "  the tests against Open edX will fail"
	@[ -d .venv-next ] || $(BIN)/python -m pip install --quiet --no-deps --target .venv-next pylti1p3next==2.0.2
	@PYTHONPATH=$(CURDIR)/.venv-next MLQUIZ_LTI_LIBRARY=pylti1p3next \
		$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(TESTS)

check: install  ## format, lint, types, architecture, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/codespell lti_tool grading finetune config migrations docs tools README.md CHANGELOG.md CONTRIBUTING.md

format: install  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: install  ## write migrations/schema.txt from the migrations
	$(BIN)/python -m tests.schema_dump

docs: install  ## write config/example.env and docs/reference from the code
	$(BIN)/python -m tools.reference

bench: install  ## speed and memory as ratios in one run; PARTS=launches for some
	$(BIN)/python -m tests.benchmarks $(PARTS)

lock: install  ## write requirements.lock from what is installed
	$(BIN)/python -m tools.lock

clean:  ## remove this checkout's data and environment, and what the tests left
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m tools.clean
	rm -rf .venv .venv-next artefacts .pytest_cache .ruff_cache .hypothesis
