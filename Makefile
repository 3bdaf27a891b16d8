# What a developer types. `make run` and `make test` need nothing but Python.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: run check test

run: .venv/installed
	$(VENV)/python app.py

check: .venv/installed
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/python -m mypy

test: .venv/installed
	$(VENV)/python -m pytest -n 2

.venv/installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
