# tercel: `make run` talks, `make test` tests; both set up what they need first.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup tools run bitstream test test-pynq test-slow test-rtl mutants lint bench bench-rtl bench-ecp5 train-small train-store train-drafters clean

help:
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: tools $(READY) ## install everything: Debian packages by apt, the rest into .venv

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

PACKAGES := g++ perl iverilog tcl device-tree-compiler
PROGRAMS := g++ perl iverilog tclsh dtc
ASROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)

tools: # compilers of simulations, devices and scripts; without them their tests are skipped
	@missing=$$(for tool in $(PROGRAMS); do command -v $$tool > /dev/null || echo $$tool; done); \
	[ -z "$$missing" ] || $(ASROOT) apt-get install -qq --no-install-recommends $(PACKAGES) > /dev/null \
	|| { $(ASROOT) apt-get update -qq \
	&& $(ASROOT) apt-get install -qq --no-install-recommends $(PACKAGES) > /dev/null; } \
	|| echo "the tests need these, which apt did not install:" $$missing

PROMPT ?= The people of the United States

run: setup ## continue PROMPT with the shipped model
	$(BIN)/tercel run --echo --prompt "$(PROMPT)" --max-tokens 120 --stats

BOARD ?= kv260

bitstream: setup ## build the overlay for BOARD with Vivado; says what is missing
	@$(BIN)/tercel bitstream --board $(BOARD) -o build/$(BOARD)

test: setup ## the whole test suite but what takes minutes; with pynq's
	$(BIN)/python -m pytest
	$(MAKE) test-pynq

PYNQ ?=
PYNQ_VENV := .venv-pynq$(PYNQ)
PYNQ_READY := $(PYNQ_VENV)/.ready

$(PYNQ_READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info[:2] > (3, 12) and sys.exit("pynq needs Python 3.10 to 3.12: make PYTHON=python3.12 test-pynq")'
	$(PYTHON) -m venv $(PYNQ_VENV)
	$(PYNQ_VENV)/bin/python -m pip install --quiet --editable '.[pynq-test]' $(if $(PYNQ),pynq==$(PYNQ))
	touch $@

test-pynq: tools $(PYNQ_READY) ## the board behind pynq itself, in an environment of its own; PYNQ=3.1.2 for that release
	$(PYNQ_VENV)/bin/python -m pytest -c tests/pynq/pytest.ini tests/pynq

test-slow: setup ## the tests that take minutes or fetch real models, some twenty minutes on 2 cores
	$(BIN)/python -m pytest -m slow --timeout 3600

test-rtl: setup ## other accelerators and models in RTL against the emulator, some twenty minutes
	$(BIN)/python -m pytest -m slow --timeout 3600 tests/sim/test_rtl_sweep.py tests/sim/test_rtl_limits.py \
		tests/sim/test_rtl_groups.py tests/sim/test_unsettled_memories.py

mutants: setup ## mutate FILES (what changed against main), at most SAMPLE a module; count what tests kill
	$(BIN)/python tests/support/mutants.py $(FILES) $(if $(SAMPLE),--sample $(SAMPLE))

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: setup ## the figures of docs/results.md, on this machine
	$(BIN)/python bench/emulator.py
	$(BIN)/python bench/conversion.py

bench-rtl: setup ## the whole kv260 accelerator in simulation; some thirty minutes on 2 cores
	$(BIN)/python bench/rtl.py --output build/bench/rtl.md

bench-ecp5: setup ## routed clock rates of blocks on an ECP5, with open tools; some eleven minutes of a core
	$(BIN)/python -m pip install --quiet --editable '.[synth]'
	$(BIN)/python bench/ecp5.py

SMALL := build/small

train-small: setup ## train the shipped model from nothing; about an hour on 2 cores, needs g++
	$(BIN)/python -m tercel_quant.corpus --output build/corpus --tokenizer $(SMALL)/tokenizer.json
	$(BIN)/python -m tercel_quant.recipe --corpus build/corpus --output $(SMALL)
	$(BIN)/tercel quantize $(SMALL)/ternary.safetensors -o $(SMALL)/small.tercel --name small
	$(BIN)/tercel eval $(SMALL)/small.tercel --text build/corpus/val.txt --context 1024

train-store: setup ## count the shipped n-gram store from the corpus; some ten minutes of a core
	$(BIN)/python -m tercel_quant.corpus --output build/corpus
	$(BIN)/tercel train-drafter ngram small --text build/corpus/train.txt -o $(SMALL)/small.ngram.drafter

train-drafters: train-store ## train every drafter of the shipped model; some forty minutes of a core
	for kind in hydra medusa ppd; do \
	$(BIN)/tercel train-drafter $$kind small --text build/corpus/train.txt \
	-o $(SMALL)/small.$$kind.drafter --folder build/drafters || exit 1; done

clean: ## remove what was built
	rm -rf $(VENV) .venv-pynq* build dist
