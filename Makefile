SEEDS ?= 2000
SEED  ?= 0
MODE  ?=
DRILLS ?= 4
FUZZTIME ?= 30s
FUZZIN ?= .
LENGTH ?= 10m
MISSED ?= 100000
STORE ?= .

.PHONY: help fmt lint test race fuzz drills mutants sim blackbox catch-up bench bench-peers bench-wan bench-scale bench-faults bench-steady cover
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

fmt: ## format the code
	gofmt -w .

lint: ## what CI checks without running anything
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

test: ## all tests
	go test ./...

race: ## the concurrent packages under the race detector
	go test -race ./event/... ./node/... ./bus ./client ./dashboard ./embeddednats ./cmd/...

fuzz: ## each fuzz test under FUZZIN for FUZZTIME
	@found=$$(grep -r --include='*_test.go' '^func Fuzz' $(FUZZIN)) || { echo 'no fuzz tests found in $(FUZZIN)' >&2; exit 1; }; \
	echo "$$found" | sed 's|/[^/]*_test.go:func \(Fuzz[A-Za-z0-9]*\).*| \1|' | while read -r package name; do \
		echo "$$package $$name"; \
		go test $$package -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

drills: ## kill nodes at every step of small runs, of DRILLS courses of each
	go test ./accord/accordtest -run 'TestKilledAtEachStep|TestBothKilled' -count=1 -v -timeout 2h -drills $(DRILLS)

mutants: ## plant each bug, and write down which seed of the simulator finds it first
	go test ./accord -run TestScriptsFindBugs -count=1 -v
	go test ./accord/accordtest -run MutantsAreFound -count=1 -v -timeout 2h -mutants

sim: ## simulate SEEDS clusters under faults, from SEED on (0: a fresh one); MODE=G, dense or electorate: all in mode G
	go test ./accord/accordtest -run 'TestSim$$' -count=1 -v -timeout 2h -seeds $(SEEDS) -seed $(SEED) -mode '$(MODE)'

blackbox: ## real processes under faults for LENGTH, on each STORE (SQLite, Postgres)
	go test ./tests/blackbox -run 'TestDeadCoordinator|TestRun/$(STORE)' -count=1 -v -timeout 6h -length $(LENGTH) -rounds 30 -bound

catch-up: ## a node misses MISSED appends, which its peers have forgotten, and catches up under load
	go test ./node -run TestCatchUpByLog -count=1 -v -timeout 1h -missed $(MISSED)

bench: ## benchmarks
	go test -run '^$$' -bench . ./...

bench-peers: ## compare with JetStream, etcd and Postgres; ARGS="-rounds 9 -concurrency 256"
	cd tests/bench && go run . $(ARGS)

bench-wan: ## compare with JetStream over the links of 3 and of 5 regions; ARGS="-conflicts 0 -down none"
	cd tests/bench && go run . wan -regions 3 $(ARGS) && go run . wan -regions 5 $(ARGS)

bench-scale: ## what an append costs as things grow, with pictures; ARGS="-lines history -history 0,10k,1M -dir DIR"
	cd tests/bench && go run . scale -out ../../docs/images $(ARGS)

bench-faults: ## how long clients wait while a node is killed, paused, or catches up; ARGS="-through up"
	cd tests/bench && go run . faults -out ../../docs/images/faults.svg $(ARGS)

bench-steady: ## an hour of load, to see memory and accord_txn level off; ARGS="-length 10m -rate 500"
	cd tests/bench && go run . steady -out ../../docs/images/hour.svg $(ARGS)

cover: ## coverage by package
	go test -cover ./...
