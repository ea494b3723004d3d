# `make demo` and `make test` need nothing but make, bash and Python 3.11 or 3.12: they make their own environment.
#
#   VENV=PATH    where that environment lies (default .venv)
#   PYTHON=PATH  the Python to make it with (default: the first of python3, python3.11, python3.12 that fits)
#   ARGS=...     handed on, to pytest as in `make test ARGS="-k sampling"`, to the demo as in `make demo ARGS="--seed 1"`
#   WORKERS=N    how many processes run tests side by side (default 2); 0 for one after the other in this one, which
#                suits a debugger, and a GPU whose times are looked at

SHELL := bash
VENV ?= .venv
PYTHON ?=
ARGS ?=
WORKERS ?= 2

ifneq ($(words $(VENV)),1)
$(error VENV must be one path without spaces, got "$(VENV)": choose another folder)
endif

stamp := $(VENV)/.installed
checks := $(VENV)/.installed_checks
run := "$(VENV)/bin/python" -m

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test lint install clean

help: ## say what can be made
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' Makefile | while read -r target text; do printf '  %-8s %s\n' "$$target" "$$text"; done

demo: $(stamp) ## measure, predict, search and report on this machine, into runs/demo
	@"$(VENV)/bin/paceline" demo --out runs/demo $(ARGS)

test: lint ## lint, then run every test
	@$(run) pytest --numprocesses "$(WORKERS)" --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(checks) ## check style, types and the direction of imports
	@$(run) ruff check .
	@$(run) ruff format --check .
	@$(run) mypy
	@"$(VENV)/bin/lint-imports" --no-logo --no-cache # its cache does not notice that a module was renamed

install: $(stamp) ## make the environment in .venv

clean: ## remove the environment, builds and caches; runs/ and tables/ stay
	@if [ -e "$(VENV)/pyvenv.cfg" ]; then rm -rf "$(VENV)"; fi
	@rm -rf build dist paceline.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	@find devices latency lut search paceline benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A `python3` on PATH may be too old, or a shim of a version manager that does not run: each one is tried.
$(VENV)/pyvenv.cfg:
	@set -euo pipefail; \
	python="$(PYTHON)"; \
	if [ -n "$$python" ]; then \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "error: PYTHON=$$python must be Python 3.11 or newer and must run; name another one" >&2; exit 1; }; \
	else \
	  for candidate in python3 python3.11 python3.12; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; then \
	      python="$$candidate"; break; \
	    fi; \
	  done; \
	  [ -n "$$python" ] || { \
	    echo 'error: none of python3, python3.11, python3.12 on PATH is a working Python 3.11 or 3.12;' >&2; \
	    echo 'install one, or say where it is: make PYTHON=/path/to/python3.11' >&2; exit 1; }; \
	fi; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $$python has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	"$$python" -m venv "$(VENV)" || { rm -rf "$(VENV)"; exit 1; }

# What only the tests need: runtimes that this machine can run, and what builds engines without a GPU. TensorRT-RTX is
# 100 MB to fetch; where it cannot be had, its tests are skipped and say so.
$(checks): $(stamp)
	@set -euo pipefail; \
	echo "paceline: installing the other runtimes that are tested into $(VENV)" >&2; \
	pip=("$(VENV)/bin/python" -m pip install -qq --no-compile --disable-pip-version-check -c constraints.txt); \
	if nvidia-smi -L >/dev/null 2>&1; then "$${pip[@]}" -e ".[openvino,cuda,parquet]"; \
	else "$${pip[@]}" -c constraints-cpu.txt -e ".[openvino,cuda,parquet]"; fi; \
	"$${pip[@]}" tensorrt-rtx || echo 'paceline: no TensorRT-RTX for this machine; its tests are skipped' >&2; \
	touch "$(checks)"

# PyTorch comes first, because whatever is installed later is content with the build that is already there. Without an
# NVIDIA GPU that is the CPU build: from the configured index or wheel folder if it has it, else from PyTorch's own.
# macOS has only one build, and it needs no pin.
$(stamp): setup.py constraints.txt constraints-cpu.txt | $(VENV)/pyvenv.cfg
	@set -euo pipefail; \
	"$(VENV)/bin/python" -c '' || { \
	  echo 'error: the Python in $(VENV) no longer runs; make clean, then the same command again' >&2; exit 1; }; \
	pip=("$(VENV)/bin/python" -m pip install -qq --no-compile --disable-pip-version-check); \
	if nvidia-smi -L >/dev/null 2>&1; then build='for CUDA' extra=ort-gpu pins=(-c constraints.txt); \
	elif [ "$$(uname -s)" = Darwin ]; then build='for macOS' extra=ort pins=(-c constraints.txt); \
	else build='for the CPU' extra=ort pins=(-c constraints.txt -c constraints-cpu.txt); fi; \
	echo "paceline: installing PyTorch $$build, ONNX Runtime, asyncssh and the checks into $(VENV)" \
	  "($$("$(VENV)/bin/python" -V); a minute or two)" >&2; \
	if [ "$$build" = 'for the CPU' ]; then \
	  "$${pip[@]}" -c constraints-cpu.txt torch 2>"$(VENV)/pip.log" \
	    || "$${pip[@]}" -c constraints-cpu.txt --index-url https://download.pytorch.org/whl/cpu torch \
	    || { cat "$(VENV)/pip.log" >&2; \
	         echo 'error: no CPU build of PyTorch, neither from the index of pip nor from download.pytorch.org;' >&2; \
	         echo 'pip says why above: see to the network or the Python version, then the same command again' >&2; exit 1; }; \
	else "$${pip[@]}" "$${pins[@]}" 'torch>=2.6'; fi; \
	"$${pip[@]}" "$${pins[@]}" -e ".[$$extra,report,ssh,dev]"; \
	touch "$(stamp)"
