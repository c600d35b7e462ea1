.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Of the images and the release: the container engine, where images are called what, and which cluster gets them.
ENGINE ?= docker
REGISTRY ?= localhost
TAG ?= 0.3.0
NAMESPACE ?= millrace
VALUES ?= charts/millrace/values-kind.yaml
PINNED ?= values-pinned.yaml
IMAGES := api ingest connect spark
# Tests of different files run side by side, those of the stack one after the other.
# A command's own words reach the shell by the environment, so that it splits and expands nothing in them.
export DATA
PARALLEL ?= -n 2 --dist loadgroup --no-loadscope-reorder

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

.PHONY: help setup demo stop check test test-cluster test-all lint types imports bench minio helm actionlint kind-up operators images pin-images deploy doctor chart-files locks clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/run  ## make the virtual environment with locked dependencies

demo: .venv/run  ## from generated (or DATA=folder) records to served answers
	@$(BIN)/millrace demo $${DATA:+--data "$$DATA"}

stop: .venv/run  ## stop everything that demo or `millrace up` started
	@$(BIN)/millrace down

check: lint types imports  ## lint, types, import rules, and the tests that start no engine: 5 minutes
	@$(BIN)/python -m pytest -m check $(PARALLEL) $(ARGS)

test: .venv/dev  ## all tests but those of a cluster, against the real broker, Connect, S3 and Spark: 12 minutes
	@$(BIN)/python -m pytest -m "check or test" $(PARALLEL) $(ARGS)

test-cluster: .venv/dev  ## the quick tests of a cluster; what they need is in CONTRIBUTING.md
	@$(BIN)/python -m pytest -m "cluster and not thorough" $(ARGS)

test-all: .venv/dev  ## every test: all kills, rebalances, upgrades, everything on a cluster; an hour or two
	@failed=0; \
	$(BIN)/python -m pytest -m "not cluster" $(PARALLEL) $(ARGS) || failed=1; \
	$(BIN)/python -m pytest -m cluster $(ARGS) || failed=1; \
	exit $$failed

lint: .venv/dev  ## style, names, annotations, docstrings and common mistakes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python tools/lint_debts.py

types: .venv/dev  ## the type checker over package, tools and Spark jobs; no file is exempt
	@$(BIN)/basedpyright

imports: .venv/dev  ## who may import whom
	@$(BIN)/lint-imports --no-cache --no-logo

bench: .venv/dev  ## speeds, each beside a peer in the same run
	@$(BIN)/python -m tests.bench

minio:  ## build MinIO with Go into the cache, so that the S3 tests run against two servers
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/millrace/bin CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' \
	  github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

helm:  ## build helm with Go into the cache, where none is installed; the chart's tests need it
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/millrace/bin CGO_ENABLED=0 go install -trimpath -ldflags "-s -w \
	  -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34" \
	  helm.sh/helm/v3/cmd/helm@v3.19.0

actionlint:  ## build actionlint with Go into the cache, so that a test checks the workflows
	GOBIN=$${XDG_CACHE_HOME:-$$HOME/.cache}/millrace/bin CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' \
	  github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

kind-up:  ## make a Kubernetes cluster of one node with kind, and Traefik as its ingress controller
	kind get clusters | grep -qx millrace || kind create cluster --config k8s/kind/cluster.yaml
	kubectl config use-context kind-millrace
	helm upgrade --install traefik traefik --repo https://traefik.github.io/charts --version 41.3.0 \
	  --namespace traefik --create-namespace --values k8s/kind/traefik.yaml --wait

operators:  ## install Strimzi and spark-operator, pinned
	NAMESPACE=$(NAMESPACE) k8s/operators/install.sh

images:  ## build the four images; load them into kind, or push them where REGISTRY is another
	@for image in $(IMAGES); do \
	  echo "building $(REGISTRY)/millrace-$$image:$(TAG)"; \
	  $(ENGINE) build -q -f k8s/images/$$image/Containerfile -t $(REGISTRY)/millrace-$$image:$(TAG) \
	    --build-arg VERSION=$(TAG) --build-arg REVISION=$$(git describe --always --dirty --abbrev=12) . || exit 1; \
	  if [ "$(REGISTRY)" = localhost ]; then \
	    $(ENGINE) save $(REGISTRY)/millrace-$$image:$(TAG) | kind load image-archive /dev/stdin --name millrace; \
	  else $(ENGINE) push $(REGISTRY)/millrace-$$image:$(TAG); fi || exit 1; \
	done

pin-images: .venv/dev  ## write the digests of all images that a registry answers for (PINNED, REGISTRY, TAG)
	@$(BIN)/python tools/pin_images.py $(PINNED) $(if $(filter-out localhost,$(REGISTRY)),$(REGISTRY) $(TAG))

deploy:  ## install or upgrade the chart (NAMESPACE, VALUES, REGISTRY, TAG)
	helm upgrade --install millrace charts/millrace --namespace $(NAMESPACE) --create-namespace --values $(VALUES) \
	  --set image.registry=$(REGISTRY) --set image.tag=$(TAG)

doctor: .venv/run  ## wait until the release is there, say what is waited for, and examine it (NAMESPACE)
	@$(BIN)/millrace doctor --cluster --namespace $(NAMESPACE) --wait 3600

chart-files: .venv/dev  ## write the generated files of the chart: workloads, schema of the values, dashboards
	@for tool in tools/chart_*.py; do echo "$$tool" && $(BIN)/python "$$tool" || exit 1; done

COMPILE := uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11
locks: .venv/dev  ## write the lock files anew (needs uv and Maven)
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.lock
	$(COMPILE) --extra local pyproject.toml -c requirements/dev.lock -o requirements/run.lock
	$(COMPILE) --extra local --extra neural pyproject.toml -c requirements/dev.lock -o requirements/neural.lock
	$(COMPILE) --extra api pyproject.toml -c requirements/dev.lock -o requirements/api.lock
	$(COMPILE) --extra ingest --extra lake --extra cluster pyproject.toml -c requirements/dev.lock -o requirements/ingest.lock
	$(COMPILE) --extra spark --extra ingest --extra lake --extra cluster pyproject.toml -c requirements/dev.lock \
	  -o requirements/spark.lock
	echo 'setuptools>=80' | $(COMPILE) --no-annotate - -o requirements/build.lock
	$(BIN)/python tools/lock_jars.py

clean: stop  ## stop, and remove the environment and all local data
	rm -rf .venv .millrace
