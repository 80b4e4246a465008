# make demo    set everything up, train on handwritten digits, draw the graph
# make test    set everything up, run the tests (ARGS="-k name": some; WORKERS=0: one process)
# make bench   compare with numpy, and with other libraries where they are installed
# make lint    ruff and mypy
# make sanitize  the kernel tests under Address-, UndefinedBehavior- and ThreadSanitizer (Linux)
# make compilers  the C core with gcc and with clang: no warning is allowed
# make site    the documentation as a site for any browser, without network: out/site/index.html
# make site-check  the same, and each of its pages opened in Chromium
# make clean   remove what the build and the set-up made
#
# All but clean prepare .venv first (scripts/setup.sh). PYTHON=/path/to/python3 is the interpreter.
PY := .venv/bin/python
WORKERS ?= 2
# The last line of `make test`. .ci/run sets it to nothing, so that pytest's summary is the last.
NEXT ?= Not run: the tests marked SKIPPED. 'make demo' shows what it does, docs/design.md how.

# Small matrices gain nothing from a second BLAS thread. On a busy machine it makes the demo six
# times slower, and the tests fill the CPUs with processes. (`make bench` sets its own threads.)
export OPENBLAS_NUM_THREADS ?= 1
export PYTHON

.PHONY: help setup demo test bench lint sanitize compilers site site-check clean
help:
	@sed -n 's/^# make/make/p' Makefile

setup:
	@sh scripts/setup.sh

demo: setup
	@$(PY) -m microtorch.programs.demo
	@echo "      'make test' checks this machine; README.md says what else there is."

test: setup
	@sh scripts/setup_tests.sh
	@$(PY) -m pytest -n $(WORKERS) $(ARGS); status=$$?; \
	if [ -n "$(NEXT)" ]; then echo "$(NEXT)"; fi; exit $$status

bench: setup
	@$(PY) -m benchmarks $(ARGS)

lint: setup
	@$(PY) -c 'import mypy, ruff' 2>/dev/null || \
		$(PY) -m pip install --quiet --disable-pip-version-check 'ruff>=0.6' 'mypy>=1.11'
	@$(PY) -m ruff check .; status=$$?; $(PY) -m mypy || status=$$?; exit $$status

sanitize: setup
	@scripts/sanitize.sh

compilers: setup
	@scripts/compilers.sh

site site-check: setup
	@$(PY) -c 'import furo, myst_parser' 2>/dev/null || $(PY) -m pip install --quiet \
		--disable-pip-version-check 'sphinx>=8' 'furo>=2024.8' 'myst-parser>=4'
	@$(PY) scripts/site $(if $(filter site-check,$@),--browser) $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info out demo_output .pytest_cache .ruff_cache .mypy_cache .hypothesis
	rm -f microtorch/_core.* ext/*.o
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
