# What a person types. Each target prepares what it needs; nothing is installed outside this folder, except that rustup is
# asked for the wasm target where it can give it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
ARGS ?=
SEEDS ?=
SEED ?=

.DEFAULT_GOAL := help
.PHONY: help demo build test test-crash sim lint bench package package-musl wasm-target sdk-tools api-tools clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a cloud and two outlets on this machine, on real data, then an account of it (ARGS=--stay keeps them up)
	@target/release/selaras-quickstart $(ARGS)

build: wasm-target ## the release binaries: selaras, selaras-cloud, selaras-quickstart
	$(CARGO) build --locked --release -p selaras -p selaras-cloud -p selaras-quickstart

test: wasm-target sdk-tools api-tools ## everything that checks the project (offline once the crates and tools are fetched)
	$(CARGO) test --locked --workspace

test-crash: wasm-target ## the long form: 30 power cuts, 100 kills, 20 damages of each kind (SELARAS_CUTS, SELARAS_KILLS, SELARAS_DAMAGES, SELARAS_SEED)
	SELARAS_CUTS=$${SELARAS_CUTS:-30} SELARAS_KILLS=$${SELARAS_KILLS:-100} SELARAS_DAMAGES=$${SELARAS_DAMAGES:-20} \
	$(CARGO) test --locked -p selaras --test it -- --nocapture crash:: damage:: disk_full::

sim: wasm-target ## the simulation, as long as wanted (SEEDS=20000), from a seed on (SEED=7), or one with its trace (SEEDS=1 SEED=7)
	SELARAS_SEEDS=$(SEEDS) SELARAS_SEED=$(SEED) $(CARGO) test --locked -p selaras --test sim -- --nocapture every_promise

lint: wasm-target ## formatting, clippy, links in the docs, licences and sources of what we depend on
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet
	@.ci/deny

bench: build sdk-tools ## speed, memory and growth on this machine, as a table; takes half an hour and wants a quiet machine (ARGS=--quick: small counts; ARGS=intake: that row)
	$(CARGO) build --locked --release -p selaras -p selaras-cloud -p selaras-quickstart -p selaras-bench
	$(CARGO) build --locked --release -p newest-wins --example native_speed
	@runtime/bench/guests.sh target/bench-guests
	@SELARAS_BENCH_GUESTS=target/bench-guests target/release/selaras-bench $(ARGS)

package: wasm-target ## what is handed out, in target/package: a tarball, a .deb with a hardened unit, their sums
	$(CARGO) build --locked --release -p selaras
	@runtime/packaging/package

package-musl: wasm-target ## the same as one static binary; needs `rustup target add x86_64-unknown-linux-musl` and musl-gcc, and skips without
	@runtime/packaging/musl

wasm-target: ## finds or makes a compiler for the plugins
	@plugins/toolchain.sh

sdk-tools: ## finds or installs, in .tools, what plugins in JavaScript, Python and C are built with; skips what cannot be had
	@sdk/tools.sh

api-tools: ## finds or installs, in .tools, what tries the API out by its own description; skips what cannot be had
	@runtime/tests/openapi/tools.sh

clean: ## removes what was built, a compiler made for the plugins, and the tools for plugins in other languages
	$(CARGO) clean
	rm -rf plugins/.toolchain .tools
