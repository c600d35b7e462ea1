.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.venv/run: requirements/run.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "Python 3.11 or newer with its venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "installing locked dependencies"
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: requirements/dev.lock .venv/run
	@echo "installing locked dependencies for tests and benchmarks"
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: help setup demo stop test lint bench minio helm locks clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/run  ## make the virtual environment with locked dependencies

demo: .venv/run  ## from generated (or DATA=folder) records to served answers
	@$(BIN)/millrace demo $(if $(DATA),--data $(DATA))

stop: .venv/run  ## stop everything that demo or `millrace up` started
	@$(BIN)/millrace down

test: .venv/dev  ## all tests, against the real broker, Connect, S3 and Spark
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev  ## style and common mistakes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: .venv/dev  ## speeds, each beside a peer in the same run
	@$(BIN)/python -m tests.bench

minio:  ## build MinIO with Go into the cache, so that the S3 tests run against two servers
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/millrace/bin CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' \
	  github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

helm:  ## build helm with Go into the cache, where none is installed; the chart's tests need it
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/millrace/bin CGO_ENABLED=0 go install -trimpath -ldflags "-s -w \
	  -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34" \
	  helm.sh/helm/v3/cmd/helm@v3.19.0

chart-files: .venv/dev  ## write what the chart knows about the workloads anew
	@$(BIN)/python tools/chart_files.py

locks: .venv/dev  ## write the lock files anew (needs uv and Maven)
	uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.lock
	uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra local pyproject.toml -c requirements/dev.lock -o requirements/run.lock
	$(BIN)/python tools/lock_jars.py

clean: stop  ## stop, and remove the environment and all local data
	rm -rf .venv .millrace
