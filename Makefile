PYTHON ?= python3
VENV ?= .venv
INTEROP ?= build/interop
BIN := $(VENV)/bin
QUESTION ?= QLoRA 的适用场景是什么？

.PHONY: setup demo test check docs docs-site screenshots interop

setup: $(VENV)/.ready

# Set up again whenever what is needed changes; pip brings an older environment up to date in place. A torch that is
# there already (a CPU build, say) is kept as long as its version is the one that was tested.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "guide needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The whole path: the guide's documents in, a question answered, the same question plain and retrieved. GUIDE_HOME says
# where the knowledge base is kept; without it, in the user's data folder.
demo: $(VENV)/.ready
	$(BIN)/guide ingest
	$(BIN)/guide documents
	$(BIN)/guide ask "$(QUESTION)"
	$(BIN)/guide compare "$(QUESTION)"

test: $(VENV)/.ready
	$(BIN)/python -m pytest

# Client libraries whose packages don't go with the guide's, in an environment of their own.
interop: $(VENV)/.ready
	test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check \
		llama-index-llms-openai-like==0.8.1 langchain-openai==1.7.4
	INTEROP_PYTHON=$(INTEROP)/bin/python $(BIN)/python -m pytest tests/test_interop.py

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready
	$(BIN)/python -m api.reference

# The documentation as a site, in build/site.
docs-site: $(VENV)/.ready
	$(BIN)/mkdocs build --strict --quiet

screenshots: $(VENV)/.ready
	$(BIN)/python -m tests.screenshots
