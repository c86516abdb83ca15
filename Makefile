# Every target here is also what the gate runs (.ci/run).
GO ?= go
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help build test race lint fmt tidy deploy vuln image release check
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the binary into bin/
	$(GO) build -trimpath -o bin/ ./cmd/gorgone

test: ## the tests
	$(GO) test ./...

race: ## the tests with the race detector
	$(GO) test -race ./...

lint: ## vet and lint
	$(GO) vet ./...
	$(LINT) run

fmt: ## format every file
	$(LINT) fmt

tidy: ## go.mod lists what is used, no more
	$(GO) mod tidy

deploy: ## check what lies in deploy/ (needs promtool), the image too
	cd deploy/check && $(GO) test -count=1 ./...
	cd deploy/image && $(GO) test -count=1 ./...

vuln: ## look for known vulnerabilities
	tools/release/vulnerabilities.sh

image: ## the image for this processor, without an engine, in dist/
	mkdir -p dist
	cd deploy/image && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
	  $(GO) run . -version "$$(git describe --tags --always --dirty)" -out ../../dist/gorgone_image.tar

release: ## archives, images, checksums and SBOM of this commit, in dist/
	tools/release/build.sh

check: lint race build ## what a change must pass
