# `make` alone prints this list. Set-up is implied by every target that needs it; see tools/setup.sh.
# Variables: VENV (folder, .venv), PYTHON (interpreter, python3.11), ARGS (passed on to ttdm demo, pytest, ttdm benchmark).

VENV ?= .venv
PYTHON ?=
ARGS ?=
export VENV PYTHON
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help venv franka demo test lint format benchmark lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1@\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '@' 2>/dev/null

venv: ## virtual environment with everything that is needed (a fraction of a second when nothing changed)
	@tools/setup.sh

franka: ## virtual environments of the Franka driver (.venv-franka) and of the simulator that tests it
	@tools/setup_franka.sh

demo: venv ## a simulated Panda is driven, learned from and driven again; the report lands in demo_output/
	@$(BIN)/ttdm demo $(ARGS)

test: venv ## all tests; ARGS="-k arm" chooses
	@$(BIN)/python tools/run_tests.py $(ARGS)

lint: venv ## ruff (lint and format) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: venv ## let ruff format and repair what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

benchmark: venv ## solver times on this machine
	@$(BIN)/ttdm benchmark $(or $(ARGS),solver)

lock: venv ## resolve all requirements*.in again and rewrite their lock files
	@$(BIN)/python tools/lock.py

clean: ## remove the virtual environments, builds and caches; what was driven and trained (demo_output and the like) stays
	rm -rf $(VENV) .venv-franka build install log .mypy_cache .ruff_cache .pytest_cache ttdm_ros.egg-info
	find ttdm_ros test tools launch -name __pycache__ -type d -prune -exec rm -rf {} +
