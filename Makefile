# ovnguard. `make help` lists what there is; the README says what to begin with.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
# Where tests find the programs.
export OVNGUARD_LAB := $(BIN)/ovnguard-lab
export OVNGUARD := $(BIN)/ovnguard
export HELM := $(BIN)/helm
export OVNGUARD_STATIC := $(BIN)/image/ovnguard
export OVNGUARD_RELEASED := $(BIN)/released
export OVNGUARD_BUNDLE := $(BIN)/bundle
export PROMTOOL := $(BIN)/promtool

##@ Start here

.PHONY: quickstart
quickstart: $(BIN) ## Show a recorded cluster on one screen. Needs Go alone, neither root nor a cluster.
	./scripts/build.sh ovnguard $(BIN)/ovnguard
	$(BIN)/ovnguard status --from testdata/recorded/cluster.json.gz --nb testdata/recorded/nb.db.gz || [ $$? -eq 1 ]

.PHONY: demo
demo: deps build ## Show the main job on a real control plane and a real OVN (KEEP=1 leaves the lab up).
	$(BIN)/ovnguard-lab demo --ovnguard $(BIN)/ovnguard $(if $(KEEP),--keep)

.PHONY: test
test: deps deps-kubelet build build-kubelet $(BIN)/helm $(BIN)/promtool ## Run every test: unit, integration, end to end, installed on real kubelets. Needs root.
	./scripts/test-parts.sh
	./scripts/test.sh

.PHONY: lab
lab: deps build ## Run a lab in the foreground: control plane, OVN, one node. Ctrl-C ends it.
	$(BIN)/ovnguard-lab up

##@ Build

.PHONY: deps
deps: ## Install what the distribution must give (OVN, Open vSwitch, iproute2), only what is missing.
	./scripts/deps.sh

.PHONY: deps-kubelet
deps-kubelet: ## Install also what nodes with a real kubelet need (containerd, runc, nftables).
	./scripts/deps.sh kubelet

.PHONY: build
build: $(BIN) ## Build bin/ovnguard and bin/ovnguard-lab. The lab's first build takes minutes.
	./scripts/build.sh ovnguard $(BIN)/ovnguard
	./scripts/build.sh ovnguard-lab $(BIN)/ovnguard-lab

.PHONY: build-kubelet
build-kubelet: $(BIN) ## Build what `ovnguard-lab up --kubelet` needs besides.
	./scripts/build.sh ovnguard-lab-node $(BIN)/ovnguard-lab-node
	./scripts/build.sh ovnguard-lab-pod $(BIN)/ovnguard-lab-pod

$(BIN):
	mkdir -p $@

.PHONY: image
image: ## Build the container image for amd64 and arm64 into dist/ (PUSH=HOST/REPOSITORY pushes it). Minutes at first.
	./scripts/image.sh $(if $(PUSH),--push $(PUSH))

.PHONY: bundle
bundle: ## Build the archive for clusters without internet into dist/: image, chart, plugin of kubectl. Many minutes at first.
	./scripts/bundle.sh

.PHONY: generate
generate: $(BIN)/controller-gen ## Generate the resource definitions and deep copies from api/.
	$(BIN)/controller-gen object paths=./api/...
	$(BIN)/controller-gen crd paths=./api/... output:crd:dir=deploy/crds

.PHONY: manifests
manifests: $(BIN)/helm $(BIN)/helm-docs ## Render deploy/*.yaml from the chart, and write its README and its copy of the definitions.
	./scripts/manifests.sh
	cd charts && $(BIN)/helm-docs --chart-search-root ovnguard --sort-values-order file --log-level warning

$(BIN)/helm: charts/go.mod charts/go.sum | $(BIN)
	cd charts && go build -o $@ helm.sh/helm/v4/cmd/helm

$(BIN)/helm-docs: charts/go.mod charts/go.sum | $(BIN)
	cd charts && go build -o $@ github.com/norwoodj/helm-docs/cmd/helm-docs

# Without the discovery of clouds, which rules do not need.
$(BIN)/promtool: tools/prometheus/go.mod tools/prometheus/go.sum | $(BIN)
	cd tools/prometheus && go build -tags remove_all_sd -o $@ github.com/prometheus/prometheus/cmd/promtool

$(BIN)/controller-gen: tools/generate/go.mod tools/generate/go.sum | $(BIN)
	cd tools/generate && go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

.PHONY: docs
docs: ## Write docs/reference.md and the table in docs/cli.md from the commands, and man pages and completions below dist/.
	env -u OVN_NB_DB -u OVN_SB_DB -u KUBECONFIG SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		go run ./cmd/ovnguard-docs -page docs/reference.md -commands docs/cli.md -dir dist

.PHONY: verify
verify: generate docs manifests ## Check that what is generated, and the tables in the documents, are as the code has them.
	git diff --exit-code -- api deploy charts docs/reference.md docs/cli.md
	$(BIN)/helm lint --strict --quiet --namespace ovnguard-system charts/ovnguard
	go test ./internal/archtest ./internal/kubeovn ./deploy

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN) dist

##@ Check

.PHONY: test-unit
test-unit: ## Run the tests that need neither root nor OVN. Seconds.
	go test ./...
	cd charts && go test ./...
	cd lab && go test ./...
	cd tools/release && go test ./...

.PHONY: test-install
test-install: deps-kubelet build build-kubelet $(BIN)/helm ## Try ovnguard in real containers on real kubelets. Needs root.
	./scripts/test-parts.sh
	cd lab && go test -timeout 20m -tags install ./test/install -count=1 -v

.PHONY: test-alerts
test-alerts: $(BIN)/promtool ## Try each alert of the chart with Prometheus' own rule tester. The first build takes minutes.
	$(BIN)/promtool check rules charts/ovnguard/files/rules.yaml
	$(BIN)/promtool test rules charts/testdata/alerts.yaml

# The oldest release of Kubernetes that ovnguard is for.
OLDEST := v1.31.14

.PHONY: test-kubernetes
test-kubernetes: build $(BIN)/helm ## Try what is installed on the lab's kube-apiserver alone. Seconds.
	cd lab && go test -tags kubernetes ./test/kubernetes -count=1 -v

.PHONY: test-kubernetes-oldest
test-kubernetes-oldest: $(BIN)/helm ## The same on one of the oldest release. Its first build takes many minutes.
	[ -x $(BIN)/kubernetes-$(OLDEST) ] || ./scripts/kubernetes.sh $(OLDEST) $(BIN)/kubernetes-$(OLDEST)
	cd lab && KUBERNETES=$(OLDEST) OVNGUARD_LAB=$(BIN)/kubernetes-$(OLDEST) go test -tags kubernetes ./test/kubernetes -count=1 -v

.PHONY: test-race
test-race: ## Run those of the program, without the lab's, with Go's race detector. Minutes; needs a C compiler.
	go test -race ./...

.PHONY: test-second-opinion
test-second-opinion: $(BIN) ## Compare what NetworkPolicies ask for with np-guard's netpol-analyzer. A minute at first.
	cd test/secondopinion && GONOSUMDB=github.com/np-guard/models go build -o $(BIN)/secondopinion .
	OVNGUARD_SECOND_OPINION=$(BIN)/secondopinion go test ./internal/intent -run TestAsNetpolAnalyzer -count=1 -v

.PHONY: test-image
test-image: ## Show that a second clone gives the same image, and that arm64 audits as amd64 does (qemu). Minutes.
	./scripts/test-image.sh

.PHONY: lint
lint: $(BIN)/golangci-lint $(BIN)/deadcode ## Check style and common mistakes in all modules.
	$(BIN)/golangci-lint run --allow-parallel-runners --build-tags integration,bench,install,kubernetes ./...
	cd lab && $(BIN)/golangci-lint run --allow-parallel-runners --config ../.golangci.yml --build-tags integration,bench,install,kubernetes ./...
	cd tools/release && $(BIN)/golangci-lint run --allow-parallel-runners --config ../../.golangci.yml ./...
	cd charts && $(BIN)/golangci-lint run --allow-parallel-runners --config ../.golangci.yml ./...
	@unused=$$($(BIN)/deadcode ./cmd/...); [ -z "$$unused" ] || { echo "$$unused"; exit 1; }

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format the code.
	$(BIN)/golangci-lint fmt ./...
	cd charts && $(BIN)/golangci-lint fmt --config ../.golangci.yml ./...
	cd lab && $(BIN)/golangci-lint fmt --config ../.golangci.yml ./...
	cd tools/release && $(BIN)/golangci-lint fmt --config ../../.golangci.yml ./...

$(BIN)/golangci-lint: tools/lint/go.mod tools/lint/go.sum | $(BIN)
	cd tools/lint && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/deadcode: tools/lint/go.mod tools/lint/go.sum | $(BIN)
	cd tools/lint && go build -o $@ golang.org/x/tools/cmd/deadcode

##@ Measure

.PHONY: bench
bench: bench-portsec bench-inventory bench-ovn bench-repair bench-reach bench-cli bench-admission ## Run all benchmarks; each ends with a table of bars and fails when one is missed.

.PHONY: bench-portsec
bench-portsec: deps ## Measure reading port_security and judging frames.
	go run ./test/bench/portsec

.PHONY: bench-inventory
bench-inventory: ## Measure judging all ports of a generated cluster, and again after changes.
	go run ./test/bench/inventory

.PHONY: bench-ovn
bench-ovn: deps ## Measure following databases of up to 250,000 ports and reading files of them. Minutes.
	go run ./test/bench/ovn

.PHONY: bench-repair
bench-repair: deps ## Measure how long a row that another client changed is not what it must be. Seconds.
	go run ./test/bench/repair

.PHONY: bench-reach
bench-reach: ## Measure saying what pods reach, honestly and forged, and finding void policies.
	go run ./test/bench/reach

.PHONY: bench-admission
bench-admission: deps build ## Measure reviews and pod creations beside a bare webhook and beside none.
	cd lab && go run ./test/bench/admission

.PHONY: bench-cli
bench-cli: deps $(BIN) ## Measure audits of files, the start of the program, completion, and status by the API.
	./scripts/build.sh ovnguard $(BIN)/ovnguard
	go run ./test/bench/cli

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
