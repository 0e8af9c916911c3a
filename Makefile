# make help lists what there is. Everything needs Go and the module proxy; what needs more says so before it begins.

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
# The commit that last touched what is built, so that one to the docs deploys nothing; it is in the record of each request.
VERSION := $(shell git log -1 --format=%h -- functions internal go.mod go.sum Makefile 2>/dev/null)
BUILD = CGO_ENABLED=0 go build -tags lambda.norpc,nethttpomithttp2 -trimpath -buildvcs=false \
	-ldflags "-s -w -X bulkpresign/internal/audit.build=$(VERSION)" $(LEAN:%=-gcflags=%=-l)

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# $(call needs,PROGRAM,PACKAGE) ends a recipe that could not go on later, before anything is compiled.
needs = @command -v $(1) >/dev/null || { echo "make $@: needs $(1); Debian has it in $(2)" >&2; exit 1; }

# A line of help: "target: ## What it does. | what it needs beside Go | how long it takes", the time on two processors
# with warm caches.

##@ Begin here
.PHONY: demo test local build install package help
demo: build ## The main job on embedded parts: upload, sign, download, compare. | | 10 s
	@go run ./internal/cmd/local demo $(DEMO)

test: ## Vet, staticcheck and all tests. | Python, for some | 8 min
	go vet ./...
	$(STATICCHECK) ./...
	scripts/test

# make local PORT=3001 OPERATIONS=GetObject POLICY=policy.json ORIGINS=http://127.0.0.1:5173
PORT ?= 3000
local: build ## All functions on 127.0.0.1:3000 (PORT, OPERATIONS, POLICY, ORIGINS), with S3 and SQS beside them. | | until Ctrl-C
	@go build -o bin/local ./internal/cmd/local
	@bin/local serve -addr 127.0.0.1:$(PORT) $(if $(OPERATIONS),-operations '$(OPERATIONS)') $(if $(POLICY),-policy '$(POLICY)') $(if $(ORIGINS),-origins '$(ORIGINS)') $(LOCAL)

build: ## The functions for this machine, into bin/. | | 10 s
	@for f in api jobs queue manifest; do $(BUILD) -o bin/$$f/bootstrap ./functions/$$f || exit 1; done

install: ## The command presign, one static file, into GOBIN (else GOPATH/bin). | | 20 s
	@CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" ./cmd/presign
	@to=$$(go env GOBIN); to=$${to:-$$(go env GOPATH)/bin}; "$$to/presign" -version && echo "in $$to"

package: ## What deploys without the SAM CLI, into dist/: zips for both processors, a plain template. | Python | 30 s
	@scripts/package

help: ## This list. | | at once
	@awk -f scripts/help.awk $(firstword $(MAKEFILE_LIST))

##@ Prove more than the tests do (verify/README.md)
.PHONY: verify openapi snippets git-lfs uploads page lists scale sam-local localstack clients chaos chaos-moto abuse security sbom lint-template check-package examples docs-test check
verify: build ## Every operation and awkward key against five S3 servers. | root on Debian, Python | 3 min
	go vet -C verify/servers ./...
	go test -C verify/servers .
	go build -C verify/servers -o ../../bin/verify .
	bin/verify

clients: build ## Real clients use the URLs: curl, wget, Python, Node, Chromium; pandas, DuckDB, GDAL, ffmpeg, ... | root on Debian, Python, Node | 5 min
	verify/clients/run.sh

openapi: build ## openapi.yaml linted, the service asked by schemathesis, typed clients generated and used. | Python, Node | 2 min
	verify/openapi/run.sh

snippets: build ## Each file of examples/snippets asks the local service, and its URLs work. | curl, Chromium, Python, Node | 20 s
	verify/snippets/run.sh

git-lfs: build ## The real git lfs pushes and clones through examples/git-lfs. | git-lfs, jq, Python | 10 s
	verify/gitlfs/run.sh

uploads: build ## Whole uploads: curl, Python, Node, Uppy in Chromium; in parts, paused, damaged. | root on Debian, Python, Node | 3 min
	verify/uploads/run.sh

page: build ## The page in Chromium: sign, download, upload, keyboard, axe. PAGE="-pictures docs/pictures" | root on Debian, Node | 1 min
	verify/page/run.sh $(PAGE)

lists: build ## Lists as real tools write them, signed: AWS CLI, boto3, pandas, DuckDB, rclone, ... | root on Debian, Python | 20 s
	verify/lists/run.sh

SCALE ?=
scale: build ## The state machine signs 10,000,000 keys, in LocalStack's interpreter, while things fail. | Linux, Python | 3 min
	verify/scale/run.sh $(SCALE)

sam-local: ## The function in the SAM CLI's emulator. | Docker or root on Debian, Python | 2 min
	verify/samlocal/run.sh

localstack: build ## Deploy to LocalStack (or LOCALSTACK=ministack) and use the URLs there. | Python | 2 min
	verify/localstack/run.sh

lint-template: build ## cfn-lint, checkov, parliament, tables and the functions' start over template.yaml. | Python | 1 min
	verify/template/run.sh

check-package: package ## The package deploys what template.yaml does, and is the same bytes when made again. | Python | 3 min
	@.cache/lint-venv/bin/python verify/template/packaged.py . dist .cache/package

examples: package ## examples/terraform and examples/cdk, against the package; CDK's is synthesized. | Python, Node | 1 min
	@verify/template/examples.sh

docs-test: build ## Every command of the docs, page by page; links and anchors. DOCS="docs/tutorial.md" | root on Debian, Python | 30 s
	@verify/docs/run.sh $(DOCS)
	go test ./internal/check/reference -run 'TestLinks'

check: build ## Would a deployment start? PARAMETERS="Bucket=photos ...", else samconfig.toml's. | Python 3.11 | 10 s
	@verify/template/run.sh check $(PARAMETERS)

CHAOS ?= -messages 10000 -manifests 200
chaos: build ## Jobs while everything fails that can: nothing lost, nothing doubled. | Linux | 2 min
	go build -o bin/verify-jobs ./verify/jobs
	bin/verify-jobs chaos $(CHAOS)

chaos-moto: moto build ## The same, smaller, against moto's SQS. | Linux, Python | 1 min
	go build -o bin/verify-jobs ./verify/jobs
	bin/verify-jobs chaos -sqs moto -messages 150 -manifests 20

abuse: build ## The worst that an event can hold: its answer, time and memory, within bounds. | Linux | 1 min
	go run ./verify/abuse

FUZZ_SEED ?= $(shell date +%s)
.PHONY: fuzz
fuzz: ## A million inputs against the SDK, then each fuzz target for a minute. | | 40 min
	go test ./internal/bulk -run TestAgainstSDK -v -timeout 60m -cases 1000000 -seed $(FUZZ_SEED)
	scripts/fuzz 60s

security: ## gosec and govulncheck; GOVULNDB=file:///copy where vuln.go.dev is out of reach. | | 2 min
	go run ./verify/security check

sbom: build ## A CycloneDX bill of materials for each function: bin/*/bom.json. | | 10 s
	go run ./verify/security sbom bin

##@ Measure (docs/speed.md)
.PHONY: bench bench-coldstart bench-invoke bench-kernels bench-manifest test-bench
bench: ## Every contestant's time for a URL, in one run. | Python, Node, Rust, Java (Maven), for some | 5 min, and 7 once to compile Rust's
	@sh bench/install.sh
	@go -C bench run . -pictures ../docs/pictures

bench-invoke: build ## Whole invocations, against a straightforward function. | | 3 min
	@cd bench/invoke && go run . -pictures ../../docs/pictures

bench-coldstart: build ## From process start to first poll, against a bare function. | | 1 min
	@ARTIFACTS_DIR=.cache/deployed $(MAKE) -s build-ApiFunction
	@cd bench/coldstart && go run . -deployed ../../.cache/deployed/bootstrap

bench-kernels: build ## What our own SHA-256 is worth in whole invocations. | | 3 min
	@$(subst -s -w,-s -w -X bulkpresign/internal/sigv4/sha256x16.forced=crypto/sha256,$(BUILD)) -o .cache/onestream/bootstrap ./functions/api
	@cd bench/invoke && go run . -scale 2 -against ../../.cache/onestream/bootstrap

MANIFEST_KEYS ?= 100000,1000000,10000000
bench-manifest: boto3 build ## Lists of up to ten million keys, on one core, beside a boto3 loop; shards on one core and on two. | Linux, Python | 7 min
	go build -o bin/verify-jobs ./verify/jobs
	bin/verify-jobs bench -function bin/jobs/bootstrap -keys $(MANIFEST_KEYS) -figures .cache/bench-manifest.json
	go -C bench run ./drawlists ../.cache/bench-manifest.json ../docs/pictures
	bin/verify-jobs shards -function bin/jobs/bootstrap

test-bench: build ## The benchmarks check what they time. | | 1 min
	go -C bench vet ./...
	go -C bench test ./...

##@ Parts of the above
.PHONY: boto3 moto test-arm64 generate check-generated
boto3: ## The pinned boto3 that tests ask for a second opinion, into .cache/. | Python | 10 s, once
	scripts/venv.sh internal/check/botooracle/requirements.txt .cache/boto3

moto: ## The pinned moto that tests ask about SQS and SNS, into .cache/. | Python | 20 s, once
	scripts/venv.sh internal/standin/moto/requirements.txt .cache/moto

test-arm64: ## The arm64 assembly, emulated. | qemu-user-static | 1 min
	$(call needs,qemu-aarch64-static,qemu-user-static)
	GOARCH=arm64 go vet ./internal/sigv4/...
	GOARCH=arm64 CGO_ENABLED=0 go test -exec qemu-aarch64-static ./internal/sigv4/...

generate: ## Write the assembly anew. | | 10 s
	go generate ./internal/sigv4/sha256x16

check-generated: ## The checked-in assembly is what its generator writes. | | 10 s
	go -C internal/sigv4/sha256x16/gen test ./...

##@ What sam build calls, with ARTIFACTS_DIR set
# A policy.json goes along, for PRESIGN_POLICY=file://policy.json.
.PHONY: build-ApiFunction build-JobsFunction
build-ApiFunction: FUNCTION = api
build-JobsFunction: FUNCTION = jobs
build-ApiFunction build-JobsFunction: ## The functions for ARCHITECTURE (arm64, x86_64). | | 10 s
	GOOS=linux GOARCH=$(or $(GOARCH_$(ARCHITECTURE)),$(error ARCHITECTURE must be arm64 or x86_64)) \
		$(BUILD) -o $(ARTIFACTS_DIR)/bootstrap ./functions/$(FUNCTION)
	$(if $(wildcard policy.json),cp policy.json $(ARTIFACTS_DIR)/)
