# LungCare. `make help` says what there is.

HOST ?= 127.0.0.1
PORT ?= 3000
MODEL ?=
GPU ?=
DATA ?=
FIT ?=
MINUTES ?= 30

VENV := .venv
PY := $(VENV)/bin/python
TRAINED := $(or $(MODEL),my-model)
RUN := runs/$(TRAINED)
ENVIRONMENT := PYTHON="$(PYTHON)" scripts/environment.sh

# Nothing is looked up or reported outside; the model store lies beside the code.
export BENTOML_HOME ?= $(CURDIR)/.bentoml
export BENTOML_DO_NOT_TRACK := True
export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_OFFLINE := 1
export TF_CPP_MIN_LOG_LEVEL ?= 2
export LUNGCARE_MODEL := $(or $(MODEL),$(LUNGCARE_MODEL))

.DEFAULT_GOAL := help
.PHONY: help env serve test lint format train bento lock screenshots bench

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Options: PORT=3000 HOST=127.0.0.1 MODEL=<name> GPU=1 PYTHON=<python>"

env: ## make the environment in .venv
	@$(ENVIRONMENT) $(if $(GPU),gpu,serve)

serve: env ## start the page and the service on http://127.0.0.1:3000
	@exec $(PY) scripts/serve.py --host "$(HOST)" --port "$(PORT)"

train: ## prepare, fit, evaluate and publish: make train DATA=<folder> [MODEL=<name>] [FIT="--epochs 5"]
	@test -n "$(DATA)" || { echo "lungcare: say where the films are: make train DATA=<folder>" >&2; exit 2; }
	@test -e "$(DATA)" || { echo "lungcare: there is no $(DATA)." >&2; exit 2; }
	@$(ENVIRONMENT) train$(if $(GPU),-gpu,)
	$(PY) -m train prepare --data "$(DATA)" --out "$(RUN)/data"
	$(PY) -m train fit --data "$(RUN)/data" --run "$(RUN)" --resume $(FIT)
	$(PY) -m train evaluate --data "$(RUN)/data" --run "$(RUN)"
	$(PY) -m train publish --data "$(RUN)/data" --run "$(RUN)" --name "$(TRAINED)"
	@echo "Serve it: make serve MODEL=$(TRAINED)"

bento: ## build the bento, with the model inside, into dist/
	@$(ENVIRONMENT) bento$(if $(GPU),-gpu,)
	@$(PY) -m scripts.bento $(if $(GPU),--gpu,)

lock: ## pin every package of the bento with its checksums, anew from requirements*.txt
	@$(ENVIRONMENT) dev
	@for set in requirements requirements-gpu; do \
		$(PY) -m uv pip compile $$set.txt --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
			--quiet --output-file deploy/$$set.lock || exit 1; \
	done

test: ## run all tests
	@$(ENVIRONMENT) dev
	$(PY) -m lungcare selfcheck
	$(PY) -m pytest

screenshots: ## take a picture of every screen into screenshots/
	@$(ENVIRONMENT) dev
	$(PY) -m scripts.screenshots

bench: ## measure speed, load and faults on a quiet machine, some ten minutes and MINUTES=30 of soak; writes docs/BENCHMARKS.md
	@$(ENVIRONMENT) bench
	$(PY) -m benchmarks --minutes "$(MINUTES)"

lint: ## check form and style
	@$(ENVIRONMENT) dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

format: ## put the code into form
	@$(ENVIRONMENT) dev
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
