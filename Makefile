.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
FUZZ_SECONDS ?= 10
MUTANT_SECONDS ?= 600
.PHONY: help setup run test test-dataflow test-engines test-faults test-long fuzz mutants test-loaders lint bench docs requirements wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed-to-run

setup: $(VENV)/.installed ## virtual environment in .venv with all that this checkout needs

# What a run needs and no more: the tools of `make setup` are another 1.6 GB.
$(VENV)/.installed-to-run: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[pipeline]'
	touch $@

run: $(VENV)/.installed-to-run ## set up and run the main job on real input found on this machine, into demo/
	$(BIN)/massivetext demo --output $(DEMO)

test: setup ## set up and run the tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-dataflow: setup ## Dataflow as far as it goes without the cloud, and gs://, in an environment of its own (needs Go for the store)
	$(PYTHON) -m venv .venv-dataflow
	.venv-dataflow/bin/python -m pip install --quiet --quiet --editable '.[dataflow,test]'
	GOBIN=$(CURDIR)/.venv-dataflow/bin go install github.com/fsouza/fake-gcs-server@v1.56.1
	.venv-dataflow/bin/python -m pytest -m "heavy or not heavy" tests/dataflow tests/pipelines/test_gcs.py

# Beam and Ray install together; an environment of its own keeps Ray out of that of `make test`.
.venv-engines/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --quiet --editable '.[ray,test]'
	.venv-engines/bin/python -m massivetext warm-up
	touch $@

# Ray in a process of its own: it forks, which a process with threads of gRPC may not survive.
# Prism comes from the Go module proxy, in the version of the Beam that is installed; without Go its tests are skipped.
test-engines: .venv-engines/.installed ## Ray on two nodes, Prism (needs Go) and Beam's job service, on this machine, in an environment of its own
	if command -v go; then GOBIN=$(CURDIR)/.venv-engines/bin go install github.com/apache/beam/sdks/v2/go/cmd/prism@v$$(.venv-engines/bin/python \
		-c "from apache_beam.version import __version__ as version; print(version)" 2>&1 | tail -1); fi
	timeout 3600 .venv-engines/bin/python -m pytest -m "heavy or not heavy" tests/pipelines/engines/test_portable.py
	timeout 3600 .venv-engines/bin/python -m pytest -m "heavy or not heavy" tests/pipelines/engines/test_ray.py

test-faults: setup ## the long tests of faults: kills, full disks, huge documents
	$(BIN)/python -m pytest -m heavy tests/faults

test-long: setup ## every test that `make test` leaves out for its length
	$(BIN)/python -m pytest -m heavy

# mosaicml-streaming takes transformers below 5, and so a huggingface-hub that datasets 5 does not go with.
# PyTorch's wheels for Linux on PyPI need NVIDIA's libraries to be imported, without a GPU too: 3 GB to download, 6 GB on disk.
.venv-loaders/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-loaders
	.venv-loaders/bin/python -m pip install --quiet --quiet --editable . 'datasets>=4,<5' 'grain>=0.2.12,<0.3' 'hypothesis>=6.100,<7' \
		'pytest>=8,<10' 'sentencepiece>=0.2,<0.3' 'torch>=2.6,<3' 'torchdata>=0.11,<0.12' \
		'click>=8.1,<9' 'numba>=0.61,<0.69' 'tokenizers>=0.20,<0.24' 'zstandard>=0.23,<0.26'
	.venv-loaders/bin/python -m pip install --quiet 'mosaicml-streaming>=0.11,<0.14' 'numpy<2.2' 'tiktoken>=0.7,<1' \
		'transformers>=4.50,<5' 'webdataset>=1,<2'
	.venv-loaders/bin/python -m pip install --quiet 'rich>=12,<16'
	.venv-loaders/bin/python -m pip install --quiet --no-deps 'megatron-core>=0.12,<0.17' 'ai2-olmo-core>=2,<4' 'bettermap>=1.3,<2' \
		'cached-path>=1.7,<2' 'dataclass-extensions>=0.2,<1' 'importlib_resources>=6,<8' 'lightning-utilities>=0.11,<1' \
		'litdata>=0.2.30,<0.3' 'obstore>=0.4,<1' 'tifffile>=2023'
	touch $@

test-loaders: .venv-loaders/.installed ## the loader and the exports read by the trainers' own libraries, in an environment of their own
	.venv-loaders/bin/python -m pytest tests/loader/test_adapters.py tests/docs/test_loading.py tests/export tests/packing/test_tokenizers.py

fuzz: setup ## mutated input for FUZZ_SECONDS a target: readers, archives, text and pages, recipes
	for file in tests/fuzz/fuzz_*.py; do FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python $$file || exit 1; done

mutants: setup ## small faults put into filters, deduplication, mixture and loader, which tests must notice: MUTANT_SECONDS=600 of them
	$(BIN)/python -m tests.mutants --seconds $(MUTANT_SECONDS)

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## benchmarks: figures as ratios measured in the same run
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

docs: setup ## the site of the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

requirements: setup ## requirements-workers.txt: what an engine's workers install, in the versions found here
	$(BIN)/python -c "import shutil; from pipelines.engines.worker_package import requirements; shutil.copy(requirements(), 'requirements-workers.txt')"

wheel: $(VENV)/.installed-to-run ## dist/*.whl with the kernels compiled: for this version of Python and numba, on x86-64 with AVX2
	$(BIN)/massivetext warm-up --portable
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist \
		--config-settings=--build-option=--python-tag=$$($(BIN)/python -c 'import sys; print("cp%d%d" % sys.version_info[:2])') .
	rm -rf build

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .venv-engines .venv-loaders build dist massivetext/compiled *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
