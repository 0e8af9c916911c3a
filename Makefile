# Everything here needs Go and the module proxy. What needs more says so.

# The processor of the deployed function, as Lambda names it: arm64 or x86_64. The
# template's parameter Architecture must say the same; sam build does not tell make.
ARCHITECTURE ?= arm64
GOARCH_arm64 := arm64
GOARCH_x86_64 := amd64

# A small binary starts sooner. lambda.norpc leaves out the runtime protocol of 2018, and
# nethttpomithttp2 HTTP/2, which neither Lambda's runtime API nor S3 speaks. What calls AWS is
# compiled without inlining: it waits for the network, and none of it is on the way from a
# request to its answer. docs/speed.md has what each is worth.
LEAN = github.com/aws/... net/http net crypto/tls crypto/x509 crypto/internal/fips140/nistec/... encoding/xml \
	encoding/json encoding/asn1 log/slog math/big regexp regexp/syntax vendor/...
BUILD = CGO_ENABLED=0 go build -tags lambda.norpc,nethttpomithttp2 -trimpath -ldflags "-s -w" $(LEAN:%=-gcflags=%=-l)

comma := ,

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build
build: ## Build the functions for this machine into bin/.
	@for f in api queue manifest; do $(BUILD) -o bin/$$f/bootstrap ./functions/$$f || exit 1; done

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

.PHONY: bench test-bench
bench: ## Every contestant's time for a URL, in one run.
	@sh bench/install.sh
	@go -C bench run .
.PHONY: bench-coldstart bench-invoke bench-kernels
bench-coldstart: build ## From process start to first poll, against a bare function.
	@ARTIFACTS_DIR=.cache/deployed $(MAKE) -s build-ApiFunction
	@cd bench/coldstart && go run . -deployed ../../.cache/deployed/bootstrap
bench-invoke: build ## Whole invocations, against a straightforward function.
	@cd bench/invoke && go run .
bench-kernels: build ## What our own SHA-256 is worth in whole invocations.
	@$(subst -tags ,-tags onestream$(comma),$(BUILD)) -o .cache/onestream/bootstrap ./functions/api
	@cd bench/invoke && go run . -scale 2 -against ../../.cache/onestream/bootstrap
test-bench: build ## The benchmarks check what they time.
	go -C bench vet ./...
	go -C bench test ./...

.PHONY: chaos chaos-moto
CHAOS ?= -messages 10000 -manifests 200
chaos: build ## Jobs while everything fails that can: nothing lost, nothing doubled.
	go build -o bin/jobs ./verify/jobs
	bin/jobs chaos $(CHAOS)
chaos-moto: build moto ## The same, smaller, against moto's SQS.
	go build -o bin/jobs ./verify/jobs
	bin/jobs chaos -sqs moto -messages 150 -manifests 20

.PHONY: bench-manifest
MANIFEST_KEYS ?= 100000,1000000,10000000
bench-manifest: build boto3 ## Lists of up to ten million keys, on one core, beside a boto3 loop.
	go build -o bin/jobs ./verify/jobs
	bin/jobs bench -function bin/manifest/bootstrap -keys $(MANIFEST_KEYS)

.PHONY: verify
verify: build ## Every operation and awkward key against five S3 servers.
	go vet -C verify/servers ./...
	go test -C verify/servers .
	go build -C verify/servers -o ../../bin/verify .
	bin/verify

.PHONY: abuse
abuse: build ## The worst that an event can hold: its answer, time and memory, within bounds (Linux).
	go run ./verify/abuse

.PHONY: fuzz
FUZZ_SEED ?= $(shell date +%s)
fuzz: ## A million inputs against the SDK, then each fuzz target for a minute.
	go test ./internal/bulk -run TestAgainstSDK -v -timeout 60m -cases 1000000 -seed $(FUZZ_SEED)
	scripts/fuzz 60s

# A policy.json goes along, for PRESIGN_POLICY=file://policy.json.
.PHONY: build-ApiFunction build-QueueFunction build-ManifestFunction
build-ApiFunction: FUNCTION = api
build-QueueFunction: FUNCTION = queue
build-ManifestFunction: FUNCTION = manifest
build-ApiFunction build-QueueFunction build-ManifestFunction: ## What sam build calls, with ARTIFACTS_DIR set.
	GOOS=linux GOARCH=$(or $(GOARCH_$(ARCHITECTURE)),$(error ARCHITECTURE must be arm64 or x86_64)) \
		$(BUILD) -o $(ARTIFACTS_DIR)/bootstrap ./functions/$(FUNCTION)
	$(if $(wildcard policy.json),cp policy.json $(ARTIFACTS_DIR)/)

.PHONY: sam-local
sam-local: ## The function in the SAM CLI's emulator, in Docker.
	verify/samlocal/run.sh

.PHONY: security sbom
security: ## gosec and govulncheck; GOVULNDB=file:///copy where vuln.go.dev is out of reach.
	go run ./verify/security check
sbom: build ## A CycloneDX bill of materials for each function: bin/*/bom.json.
	go run ./verify/security sbom bin

.PHONY: lint-template
lint-template: ## cfn-lint, checkov and parliament over the transformed template.
	verify/template/run.sh

.PHONY: localstack
localstack: build ## Deploy to LocalStack (or LOCALSTACK=ministack) and use the URLs there.
	verify/localstack/run.sh

.PHONY: clients
clients: build ## Real clients use the URLs: curl, wget, aria2c, Python, Node, Chromium.
	verify/clients/run.sh

.PHONY: boto3
boto3: ## The pinned boto3 that the tests ask for a second opinion.
	scripts/venv.sh internal/check/botooracle/requirements.txt .cache/boto3

.PHONY: moto
moto: ## The pinned moto that the tests ask about SQS and SNS.
	scripts/venv.sh internal/standin/moto/requirements.txt .cache/moto

.PHONY: test-arm64
test-arm64: ## The arm64 assembly, under qemu-user (Debian: qemu-user-static).
	GOARCH=arm64 go vet ./internal/sigv4/...
	GOARCH=arm64 CGO_ENABLED=0 go test -exec qemu-aarch64-static ./internal/sigv4/...

.PHONY: generate check-generated
generate: ## Write the assembly anew.
	go generate ./internal/sigv4/sha256x16
check-generated: ## The checked-in assembly is what its generator writes.
	go -C internal/sigv4/sha256x16/gen test ./...

.PHONY: help
help: ## This list.
	@sed -n 's/^\([A-Za-z0-9-]*\):.*## /\1\t/p' Makefile
