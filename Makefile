SEEDS ?= 2000
SEED  ?= 0

.PHONY: help fmt lint test race sim bench cover
help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-8s %s\n", $$1, $$2}'

fmt: ## format the code
	gofmt -w .

lint: ## what CI checks without running anything
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

test: ## all tests
	go test ./...

race: ## the concurrent packages under the race detector
	go test -race ./event/... ./node/... ./bus ./client ./embeddednats ./cmd/...

sim: ## simulate SEEDS clusters under faults, from SEED on (0: a fresh one)
	go test ./accord/accordtest -run 'TestSim$$' -count=1 -v -timeout 2h -seeds $(SEEDS) -seed $(SEED)

bench: ## benchmarks
	go test -run '^$$' -bench . ./...

cover: ## coverage by package
	go test -cover ./...
