# Everything is set up by the targets themselves, in .venv. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
PYTHON_VERSION ?= 3.13
ARCH ?= arm64
EXTRAS ?= tracing
# Most tests wait for a stream: more of them at once than there are processors.
TEST_WORKERS ?= 3
DYNOXIDE_VERSION := 1.2.1
CHECKOV_VERSION := 3.3.30

BENCH_OPTIONS = $(if $(ROWS),--rows "$(ROWS)") $(if $(BASE),--base "$(BASE)") \
  $(if $(JSON),--json "$(JSON)") $(if $(FULL),--full)

# The service, or any app.
PACKAGER = $(if $(APP),tools.app_package "$(APP)" --extras "$(EXTRAS)" \
  $(if $(APP_DIR),--folder "$(APP_DIR)"),$(if $(APP_DIR),$(error $(WHICH_APP)),tools.package_zip))
WHICH_APP := Say which app: make package APP=main:handler APP_DIR=$(APP_DIR)

BIN := $(VENV)/bin
RUN := PYTHONPATH=src $(BIN)/python
# For what is silent for more than two seconds.
PATIENTLY := PYTHONPATH=src:. $(BIN)/python -m tools.patiently
PYTEST := $(BIN)/python -m pytest -n $(TEST_WORKERS) --no-loadscope-reorder
OS := $(shell uname -s | tr A-Z a-z)
CPU := $(subst x86_64,x64,$(subst aarch64,arm64,$(shell uname -m)))
DYNOXIDE := $(VENV)/npm/node_modules/@dynoxide/$(OS)-$(CPU)/dynoxide

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.13 …"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) -V) …"
	@PYTHONPATH=src:. $(PYTHON) -m tools.patiently "Making $(VENV)" $(PYTHON) -m venv $(VENV)
	@touch $@

# A Python that is asked for must be the one that is there: it would be ignored otherwise.
.PHONY: same-python
same-python: $(VENV)/.python
	@asks='import sys; print(sys.version)'; \
	given=$$($(PYTHON) -c "$$asks"); has=$$($(BIN)/python -c "$$asks"); \
	[ "$$given" = "$$has" ] || { \
	  is=$${given:+is $$given}; \
	  echo "$(VENV) has Python $${has%% *}, but PYTHON=$(PYTHON) $${is:-does not run}"; \
	  echo "Make another one beside it (VENV=.venv-other), or this one again (rm -r $(VENV))."; \
	  exit 1; }

$(VENV)/.packages: $(VENV)/.python requirements.txt src/lambdas/sse_streaming/requirements.txt
	@echo "Installing Python packages into $(VENV) (about a minute) …"
	@$(PATIENTLY) "Installing packages" $(BIN)/python -m pip install --no-input --progress-bar off \
	  --disable-pip-version-check -r requirements.txt
	@touch $@

# The local stack falls back to moto's DynamoDB where there is no binary. What failed is tried again
# an hour later, or once npm is there; npm itself would try for minutes where there is no network.
$(DYNOXIDE): | $(VENV)/.python
	@failed=$(VENV)/.dynoxide-failed; missing=$(VENV)/.npm-missing; \
	if ! command -v npm >/dev/null; then \
	  [ -e $$missing ] || echo "npm is missing: moto stands in for DynamoDB until it is there."; \
	  touch $$missing; \
	elif [ -z "$$(find $$failed -mmin -60 2>/dev/null)" ]; then \
	  rm -f $$missing; \
	  echo "Installing the DynamoDB engine (dynoxide $(DYNOXIDE_VERSION)) …"; \
	  if $(PATIENTLY) "Installing dynoxide" npm install --no-audit --no-fund --fetch-retries=0 \
	    --prefix $(VENV)/npm @dynoxide/$(OS)-$(CPU)@$(DYNOXIDE_VERSION); \
	  then rm -f $$failed; \
	  else touch $$failed; \
	    echo "dynoxide for $(OS)-$(CPU) could not be installed: moto stands in for DynamoDB."; \
	    echo "It is tried again in an hour; to try at once: rm $$failed"; fi; fi

.PHONY: setup
setup: $(if $(filter-out file,$(origin PYTHON)),same-python) $(VENV)/.packages $(DYNOXIDE) ## make .venv with everything in it

.PHONY: run
run: setup ## the whole service on this computer; any app: APP=module:handler [APP_DIR=…] [ENV_FILE=.env]
	@PORT="$(PORT)" APP="$(APP)" APP_DIR="$(APP_DIR)" ENV_FILE="$(ENV_FILE)" $(RUN) -m local_aws run

.PHONY: test
test: setup ## every test, with a tenth of the counts that CI runs (about 5 minutes)
	$(PYTEST) -m "not ci"

.PHONY: lint
lint: setup ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(PATIENTLY) --output "Checking types" $(BIN)/mypy src tests tools examples

.PHONY: check
check: lint checkov clients ## what CI runs: lint, and every test with its full counts
	FULL_COUNTS=1 $(PYTEST)

.PHONY: chaos
chaos: setup ## 200 interleavings, then 50 streams for 2 minutes with a kill a second (10 minutes)
	STACK_INTERLEAVINGS=200 CHAOS_STREAMS=50 CHAOS_SECONDS=120 CHAOS_KILL_SECONDS=1 \
	  $(BIN)/python -m pytest -s tests/e2e/test_interleavings.py tests/e2e/test_chaos.py

.PHONY: package
package: setup ## the service's zip, in build/ (ARCH=x86_64, PYTHON_VERSION=3.12, …); any app's: APP=module:handler APP_DIR=… [EXTRAS=tracing]
	@$(PATIENTLY) --output "Building the zip" $(BIN)/python -m $(PACKAGER) \
	  --python $(PYTHON_VERSION) --architecture $(ARCH) \
	  $(if $(INTERPRETER),--interpreter "$(INTERPRETER)") $(if $(NO_BYTECODE),--no-bytecode)

.PHONY: image
image: package ## the same as a container image, by docker: [APP=… APP_DIR=…] [COLLECTOR=ARN|layer.zip|none] [TAG=…]
	@$(PATIENTLY) --output "Making the image" $(BIN)/python -m tools.container_image \
	  $(if $(APP),--app "$(APP)") $(if $(APP_DIR),--folder "$(APP_DIR)") $(if $(TAG),--tag "$(TAG)") \
	  --python $(PYTHON_VERSION) --architecture $(ARCH) $(if $(COLLECTOR),--collector "$(COLLECTOR)")

.PHONY: plan
plan: package ## what `terraform apply` would make in your AWS account
	@terraform -chdir=modules/lambda/examples/minimal init -input=false $(if $(TF_PLUGIN_DIR),-plugin-dir=$(TF_PLUGIN_DIR))
	@terraform -chdir=modules/lambda/examples/minimal plan -var architecture=$(ARCH) -var python_version=$(PYTHON_VERSION)

# The probe is asked what only AWS can tell; the service is checked.
CHECK_AWS = $(if $(filter probe,$(APP)),tools.aws_questions $(if $(URL),--url "$(URL)") \
  $(if $(REST),--rest "$(REST)") $(if $(HTTP_API),--http-api "$(HTTP_API)") \
  $(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) $(if $(SILENCE),--silence $(SILENCE)),tools.verify_aws \
  --url "$(URL)" --function "$(FUNCTION)" $(if $(COLD_START),--cold-start))

.PHONY: verify-aws
verify-aws: setup ## check a deployment: URL=… FUNCTION=… (COLD_START=1); ask what only AWS can tell: APP=probe URL=… [REST=…] [HTTP_API=…]
	@test -n "$(filter probe,$(APP))" -o -n "$(URL)" -a -n "$(FUNCTION)" || \
	  { echo "Say which: make verify-aws URL=… FUNCTION=…, or APP=probe URL=… (docs/questions-for-aws.md)"; exit 1; }
	@$(PATIENTLY) --output "Checking the deployment" $(BIN)/python -m $(CHECK_AWS)

.venv-checkov/.installed-$(CHECKOV_VERSION): | $(VENV)/.python
	@echo "Installing checkov into an environment of its own (290 MB) …"
	@$(PATIENTLY) "Making .venv-checkov" $(PYTHON) -m venv .venv-checkov
	@$(PATIENTLY) "Installing checkov" .venv-checkov/bin/python -m pip install --no-input \
	  --progress-bar off --disable-pip-version-check checkov==$(CHECKOV_VERSION)
	@touch $@

.PHONY: checkov
checkov: .venv-checkov/.installed-$(CHECKOV_VERSION) ## install the security scanner that the Terraform tests use

.PHONY: clients
clients: setup ## install what the tests of docs/clients.md drive (npm, pip, Go, Maven; a minute)
	@PYTHONPATH=src:. $(BIN)/python -m tests.fakes.client_programs

.PHONY: pages
pages: setup ## try what pages show: moves, snippets, templates of SAM, CDK and Serverless (pip, npm; a minute)
	$(PYTEST) tests/documentation

.PHONY: reference
reference: setup ## write docs/reference.md again, from the docstrings
	@PYTHONPATH=src:. $(BIN)/python -m tools.reference

.PHONY: test-dynamodb-local
test-dynamodb-local: setup ## the DynamoDB tests on AWS's own engine (Java 17, Maven)
	CI=true $(BIN)/python -m pytest tests/integration -k dynamodb-local

.PHONY: publish
publish: setup ## publish items into the running stack: FILE=items.jsonl [KEEP_TIMES=1] [PORT=…]
	@test -n "$(FILE)" || { echo "Say which file: make publish FILE=items.jsonl"; exit 1; }
	@PORT="$(PORT)" KEEP_TIMES=$(KEEP_TIMES) $(RUN) -m local_aws publish "$(FILE)"

.PHONY: drain
drain: setup ## end the running stack's streams and refuse new ones: [UNTIL=+600] [PORT=…]; on AWS: TABLE=…
	@PORT="$(PORT)" $(RUN) -m local_aws drain "$(TABLE)" $(UNTIL)

.PHONY: trace
trace: setup ## the running stack's newest stream as a waterfall, or the trace ID=1-…: [PORT=…]
	@PORT="$(PORT)" $(RUN) -m local_aws trace $(ID)

.PHONY: bench
bench: setup ## what everything costs, as ratios, in 3 minutes: [ROWS=loop,cold] [BASE=main] [JSON=file] [FULL=1]
	@PYTHONPATH=src:. $(BIN)/python -m tests.bench $(BENCH_OPTIONS)

.PHONY: bench-peers
bench-peers: setup ## the same beside Node's client and FastAPI (installs them in build/; compiles for minutes, once)
	@PYTHONPATH=src:. $(BIN)/python -m tests.bench --peers $(BENCH_OPTIONS)

.PHONY: recorded-events
recorded-events: setup ## AWS events that others recorded, each answered or refused by name: RECORDED_EVENTS=checkout
	@RECORDED_EVENTS="$(RECORDED_EVENTS)" $(BIN)/python -m pytest -q tests/foreign/recorded_events.py

.PHONY: foreign
foreign: setup ## tests that others wrote: Mangum's, apig-wsgi's, a2wsgi's, asgiref's, schemathesis: [SUITES="mangum …"]
	@PYTHONPATH=src:. $(BIN)/python -m tests.foreign $(SUITES)

.PHONY: clean
clean: ## remove what the targets made
	rm -rf $(VENV) .venv-checkov .local build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf modules/lambda/.terraform modules/lambda/examples/*/.terraform
