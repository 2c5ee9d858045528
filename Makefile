# Needs only make and a Python >= 3.11; everything else goes into .venv, once, and again when pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
STUDY ?= yang2020
OUT ?= perolas-out/$(STUDY)
PEROLAS_FUZZ_SECONDS ?= 600
PIP = $(VENV)/bin/python -m pip install -qq --disable-pip-version-check
KEYS = pyproject.toml src/perolas/_version.py

.PHONY: help demo test test-all fuzz bench docs clean
help:
	@echo "make demo      install and run the study $(STUDY); prints its claims and where the report is"
	@echo "make test      the tests that belong to every change"
	@echo "make test-all  the long tests that 'make test' leaves out (marker 'full'), with a minute of fuzzing"
	@echo "make fuzz      fuzz every reader and the study schema, each for PEROLAS_FUZZ_SECONDS=$(PEROLAS_FUZZ_SECONDS)"
	@echo "make bench     benchmarks"
	@echo "make docs      documentation, strict, into docs/_build/html"
	@echo "make clean     remove what these made, .venv too"

# The install is editable: what runs is the source beside this file, and 'demo' never undoes what 'test' installed.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("perolas needs Python 3.11 or later; say which with make PYTHON=...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment (on Debian: install python3-venv)"; exit 1; }
	@touch $@

$(VENV)/.installed: $(KEYS) | $(VENV)/.made
	@echo "installing perolas into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-%: $(KEYS) | $(VENV)/.made
	@echo "installing perolas[$*] into $(VENV) ..."
	@$(PIP) -e ".[$*]"
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(VENV)/bin/perolas run $(STUDY) --out $(OUT)

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -m "not full"

test-all: $(VENV)/.installed-test
	PEROLAS_FUZZ_SECONDS=2 $(VENV)/bin/python -m pytest -m full --durations=15

fuzz: $(VENV)/.installed-test
	PEROLAS_FUZZ_SECONDS=$(PEROLAS_FUZZ_SECONDS) $(VENV)/bin/python -m pytest -m "full or not full" -k fuzz

bench: $(VENV)/.installed-test
	$(VENV)/bin/python benchmarks/run.py

docs: $(VENV)/.installed-docs
	@rm -rf docs/generated # pages of modules that are no more
	$(VENV)/bin/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) build dist docs/_build docs/generated perolas-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
