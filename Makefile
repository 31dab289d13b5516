PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

# Set up again whenever what is needed changes; pip brings an older environment up to date in place.
.venv/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/.ready
	$(BIN)/guide ingest
	$(BIN)/guide ask "QLoRA 的适用场景是什么？"
	$(BIN)/guide compare "QLoRA 的适用场景是什么？"

test: .venv/.ready
	$(BIN)/pytest

check: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
