# Everything here needs Go and the module proxy. What needs more says so.

# The function's architecture: amd64 or arm64. `make build` is for this machine;
# `sam build` sets it from the template's parameter (samconfig.toml).
GOARCH ?= $(shell go env GOARCH)

# lambda.norpc leaves out the runtime protocol of 2018.
BUILD = CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags "-s -w"

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build
build: ## Build the functions for this machine into bin/.
	$(BUILD) -o bin/api/bootstrap ./functions/api

.PHONY: demo
demo: build ## The main job, on embedded parts: sign, upload, download, compare.
	go run ./internal/cmd/local demo -function bin/api/bootstrap

.PHONY: local
local: build ## The service on 127.0.0.1:3000, with an S3 server beside it.
	go run ./internal/cmd/local serve -function bin/api/bootstrap

.PHONY: test
test: ## Vet, staticcheck and all tests with the race detector.
	go vet ./...
	$(STATICCHECK) ./...
	scripts/test

.PHONY: fuzz
FUZZ_SEED ?= $(shell date +%s)
fuzz: ## A million inputs against the SDK, then each fuzz target for a minute.
	go test ./internal/bulk -run TestAgainstSDK -v -timeout 60m -cases 1000000 -seed $(FUZZ_SEED)
	scripts/fuzz 60s

# sam build calls this with ARTIFACTS_DIR set.
.PHONY: build-ApiFunction
build-ApiFunction:
	GOOS=linux $(BUILD) -o $(ARTIFACTS_DIR)/bootstrap ./functions/api

.PHONY: help
help: ## This list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile
