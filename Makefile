# The commands of the README. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Candor needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}; run: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12")'
	@echo "installing into .venv (once; a few minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

install: .venv/installed ## make .venv with what the runs and the tests need

laptop: install ## the whole path in minutes: text, tokenizer, training, model folder, report (ARGS="--set seed=1")
	@$(BIN)/candor run laptop $(ARGS)

# A process for each core with one thread each: half the time of one process after the other (WORKERS=0 for that).
WORKERS ?= logical

test: install ## all tests, on all cores
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

quick: install ## the tests that take seconds
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(ARGS)

lint: install ## style, types, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.bench/transformers/bin/python:
	@echo "installing the benchmarks' peer into .bench/transformers ..."
	@$(PYTHON) -m venv .bench/transformers
	@.bench/transformers/bin/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@.bench/transformers/bin/pip install --quiet --disable-pip-version-check -c constraints.txt 'transformers>=5.23'

.bench/llamacpp/bin/python:
	@echo "building llama.cpp into .bench/llamacpp (five to ten minutes) ..."
	@$(PYTHON) -m venv .bench/llamacpp
	@.bench/llamacpp/bin/pip install --quiet --disable-pip-version-check 'llama-cpp-python[server]==0.3.36' || { rm -rf .bench/llamacpp; exit 1; }

.bench/lm_eval/bin/python:
	@echo "installing lm-eval into .bench/lm_eval ..."
	@$(PYTHON) -m venv .bench/lm_eval
	@.bench/lm_eval/bin/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@.bench/lm_eval/bin/pip install --quiet --disable-pip-version-check -c constraints.txt 'lm-eval[hf]==0.4.13' 'transformers>=5.23' || { rm -rf .bench/lm_eval; exit 1; }

.bench/trl/bin/python:
	@echo "installing TRL into .bench/trl ..."
	@$(PYTHON) -m venv .bench/trl
	@.bench/trl/bin/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@.bench/trl/bin/pip install --quiet --disable-pip-version-check -c constraints.txt 'trl==1.16.0' 'transformers>=5.23' || { rm -rf .bench/trl; exit 1; }

.bench/datatrove/bin/python:
	@echo "installing datatrove into .bench/datatrove ..."
	@$(PYTHON) -m venv .bench/datatrove
	@.bench/datatrove/bin/pip install --quiet --disable-pip-version-check 'datatrove==0.10.1' spacy nltk tldextract regex tokenizers 'xxhash<4' || { rm -rf .bench/datatrove; exit 1; }

.bench/presidio/bin/python:
	@echo "installing Presidio into .bench/presidio ..."
	@$(PYTHON) -m venv .bench/presidio
	@.bench/presidio/bin/pip install --quiet --disable-pip-version-check 'presidio-analyzer==2.2.366' || { rm -rf .bench/presidio; exit 1; }

bench-install: install .bench/datatrove/bin/python .bench/presidio/bin/python .bench/transformers/bin/python .bench/llamacpp/bin/python .bench/lm_eval/bin/python .bench/trl/bin/python ## environments of the peers that the benchmarks run against

bench: bench-install ## the benchmarks: Candor and its peers side by side
	@$(BIN)/python bench/data.py
	@$(BIN)/python bench/pii.py
	@$(BIN)/python bench/loader.py
	@$(BIN)/python bench/train_step.py
	@$(BIN)/python bench/decode.py
	@$(BIN)/python bench/eval.py
	@$(BIN)/python bench/grpo.py

.PHONY: help install laptop test quick lint bench bench-install
