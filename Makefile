# One command per need; `make` lists them. Variables: SEED (sim), SUITE (bench), FILTER (test, guest-test), BENCH=1 (deps),
# KERNEL (kmod, kmod-test, vm, guest-test), FUZZ (kmod-test), CMD (vm).

SUITE ?= l4
SEED ?=
FILTER ?=
KERNEL ?= bookworm-backports
FUZZ ?=
export CMD ?=

.DEFAULT_GOAL := help
.PHONY: help deps build release test sim fuzz-smoke fmt lint demo bench gate kmod kmod-package kmod-test vm guest-test clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps: ## Install what is missing of the build's packages (BENCH=1: those of the benchmarks too)
	@scripts/install-deps build $(if $(BENCH),bench)

build: deps ## Build everything for debugging
	swift build

release: deps ## Build everything optimized
	swift build -c release

test: deps ## Run all tests, or those that match FILTER=; root runs the privileged ones too
	swift build --build-tests
	@scripts/test $(FILTER)

sim: deps ## Run the simulation, with a seed of its own or SEED=
	KMESH_SIM_SEED=$(SEED) swift test --filter SimulationTests

fuzz-smoke: deps ## Fuzz what reads bytes from the network, for seconds; KMESH_FUZZ_ITERATIONS= for longer
	swift build --build-tests
	KMESH_FUZZ_ITERATIONS=$${KMESH_FUZZ_ITERATIONS:-400000} scripts/test 'WaypointProxyTests.Fuzz|BPFTests.AuthorizationFuzz'
	kmod/tests/requests 20

fmt: ## Format the Swift and C sources
	@scripts/install-deps lint
	@scripts/lint fix

lint: ## Check format and scripts; warnings are errors in every build anyway
	@scripts/install-deps lint
	@scripts/lint

demo: release ## Show a mesh of real programs on this machine (root); MODE=kernel-native: HTTP routed in the kernel
ifeq ($(MODE),kernel-native)
	@scripts/install-deps demo kmod guest
	@scripts/demo-native
else
	@scripts/install-deps demo
	@scripts/demo
	@scripts/demo-waypoint
endif

bench: ## Measure SUITE= beside its peers (root)
	@scripts/install-deps build bench $(if $(filter native,$(SUITE)),kmod guest)
	swift build -c release
	@benchmarks/run $(SUITE)

gate: ## Check what a request costs where the machine does not matter: instructions, allocations, memory (root)
	@scripts/install-deps build gate
	swift build -c release
	@benchmarks/run waypoint --gate

kmod: ## Build the kernel module for KERNEL=: a Debian suite, a version, a folder with headers
	@scripts/install-deps kmod
	@scripts/kmod $(KERNEL)

kmod-package: ## Pack the kernel module's sources for DKMS
	@scripts/kmod-package

vm: ## Run CMD= in a guest with the kernel of the Debian suite KERNEL= (root)
	@scripts/install-deps guest
	@scripts/vm.sh --kernel $(KERNEL) "$$CMD"

kmod-test: ## Test the kernel module in a guest; FUZZ= seconds of races (root)
	@scripts/install-deps build kmod guest
	@scripts/test-kmod --kernel $(KERNEL) $(FUZZ)

guest-test: ## Test the kernel-native engine in a guest with the kernel of KERNEL=, or what matches FILTER= (root)
	@scripts/install-deps build kmod guest
	swift build -c release
	@scripts/test-guest --kernel $(KERNEL) $(FILTER)

clean: ## Remove all build output
	rm -rf .build
