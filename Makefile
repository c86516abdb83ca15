# Every target here is also what the gate runs (.ci/run).
GO ?= go
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help build test race lint fmt tidy deploy client nextjs vuln image release check
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the commands into bin/
	$(GO) build -trimpath -o bin/ ./cmd/...

test: ## run the tests
	$(GO) test ./...

race: ## run the tests with the race detector
	$(GO) test -race -timeout 20m ./...

lint: ## vet and lint
	$(GO) vet ./...
	$(LINT) run

fmt: ## format every file
	$(LINT) fmt

tidy: ## list in go.mod what is used and nothing else
	$(GO) mod tidy

deploy: ## check deploy/, docker-compose.yml and the image (needs promtool)
	cd deploy/check && $(GO) test -count=1 ./...
	cd deploy/image && $(GO) test -count=1 ./...

client: build ## check and test the TypeScript client (needs Node.js)
	cd clients/typescript && npm ci --silent --no-audit --no-fund && npm run --silent check && npm run --silent lint && npm run --silent build && npm test

nextjs: client ## build the Next.js example and click it in Chromium
	cd examples/nextjs && npm ci --silent --no-audit --no-fund && NEXT_TELEMETRY_DISABLED=1 npm test

vuln: ## check for known vulnerabilities
	tools/release/vulnerabilities.sh

image: ## build the image for this architecture without an engine, into dist/
	tools/release/image.sh "$$($(GO) env GOARCH)" dist/gorgone_image.tar

release: ## build archives, images, SBOMs and checksums of this commit into dist/
	tools/release/build.sh

check: lint race build ## run what a change must pass
