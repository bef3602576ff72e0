# make run     build bin/casement and become `casement up`; more flags in ARGS="--listen 0.0.0.0"
# make check   build, vet, lint, unit tests: before each commit, at most three minutes
# make test    everything, at most forty minutes on two cores; ends with `N passed, N failed, N skipped`
# make soak    the fuzz targets for long (FUZZTIME, 60s each), the tests several times over, the benchmarks in full
GO      ?= go
ARGS    ?=
TESTRUN := $(GO) run ./internal/house/testrun

.PHONY: run build check test soak lint clean

run: build
	@exec bin/casement up $(ARGS)

build:
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/casement ./cmd/casement

check:
	@$(TESTRUN) check

test:
	@$(TESTRUN) test

soak:
	@$(TESTRUN) soak

lint:
	@$(TESTRUN) lint

clean:
	rm -rf bin .venv
