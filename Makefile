# Lambda Rightsizer: everything a person runs from a checkout. `make` alone lists it.

# The options belong to the shell, because make 3.81, which macOS has, knows no .SHELLFLAGS.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Cargo's target folder. CARGO_TARGET_DIR is honoured.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Built tools outlive a checkout here.
CACHE := $(or $(RIGHTSIZER_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rightsizer)
# This machine's, and Lambda's other one.
ARCH := $(subst aarch64,arm64,$(shell uname -m))
OTHER_ARCH := $(if $(filter arm64,$(ARCH)),x86_64,arm64)

# The binaries that tests run as child processes. The extension is the one that is built by itself:
# features of other crates are not unified into it.
export RIGHTSIZER_EXTENSION_BINARY := $(TARGET)/layer/rightsizer-extension
export RIGHTSIZER_REFERENCE_BINARY := $(TARGET)/debug/rightsizer-reference-extension
export RIGHTSIZER_BINARY := $(TARGET)/debug/rightsizer
export RIGHTSIZER_UPDATER_BINARY := $(TARGET)/debug/rightsizer-updater

.PHONY: how-long how-long-demo help build demo test check extension layer package dist deploy undeploy connect layer-arn flink weigh power speed \
	compile-time soak fuzz tools rust clean

help: ## list the targets (default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# With the same packages selected, cargo selects the same features: one build for all that is run from it.
BUILD := cargo build --release -p rightsizer -p rightsizer-tests -p rightsizer-extension --bin rightsizer

build: rust ## build target/release/rightsizer
	@$(BUILD)

demo: export RIGHTSIZER_BINARY := $(TARGET)/release/rightsizer
# The extension's code in the same build: building it by itself, as it is shipped, would take 80 s more.
demo: export RIGHTSIZER_EXTENSION_BINARY := $(TARGET)/release/rightsizer-extension
demo: how-long-demo rust ## run the whole pipeline on this machine, no AWS account; LOGS=FILE adds your own REPORT lines
	@echo "demo: building rightsizer, the extension and the emulator"
	@$(BUILD) --bin rightsizer-extension --bin demo
	@"$(TARGET)/release/demo" $(if $(LOGS),--logs "$(LOGS)")

how-long-demo:
	@echo "demo: about six minutes the first time (it compiles), 10 seconds later, on two cores"

test: how-long tools extension flink ## install what the tests need, then run every test, end-to-end ones included
	@echo "test: building the binaries that tests start"
	@cargo build --workspace --all-features --bins
	@echo "test: every test"
	@tests/tools/run_tests.py cargo test --workspace --all-features --no-fail-fast

how-long:
	@echo "test: about 40 minutes the first time (half of it compiles), 25 later, on two cores"

check: rust ## formatting, clippy and doc warnings, wording, spelling, scripts, licences, unused dependencies
	@echo "check: wording"
	@tests/tools/words.py --self-test
	@tests/tools/words.py
	@python3 -B tests/tools/test_run_tests.py
	@echo "check: errors are types, and each fact stands in one file"
	@tests/tools/homes.py --self-test
	@tests/tools/homes.py
	@echo "check: messages"
	@tests/tools/messages.py --self-test
	@tests/tools/messages.py
	@folder=$$(tests/tools/python-tools.sh "$(CACHE)"); \
	export PATH="$$folder:$$PATH"; \
	echo "check: spelling"; \
	typos; \
	echo "check: shell scripts"; \
	git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --severity=warning; \
	echo "check: what runs on other machines needs no newer Python than 3.9"; \
	vermin --quiet --violations --eval-annotations --target=3.9- infra
	@echo "check: formatting"
	@cargo fmt --all --check
	@echo "check: clippy, warnings denied"
	@cargo clippy --workspace --all-targets --all-features -- -D warnings
	@echo "check: documentation, warnings denied"
	@RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --all-features
	@echo "check: the crate graph"
	@tests/tools/crate_graph.py --self-test
	@tests/tools/crate_graph.py
	@tests/tools/module_circles.py --self-test
	@tests/tools/module_circles.py
	@echo "check: nothing is public that no other crate uses"
	@tests/tools/unused_pub.py --self-test
	@tests/tools/unused_pub.py
	@folders=$$(tests/tools/cargo-tools.sh "$(CACHE)" | paste -sd: -); \
	export PATH="$$folders:$$PATH"; \
	echo "check: licences, bans and sources of dependencies"; \
	cargo deny check bans licenses sources; \
	echo "check: unused dependencies"; \
	cargo machete

extension: rust ## build the extension by itself, for size, to run on every system of Lambda
	@echo "extension: building for $(ARCH)"
	@infra/extension.sh "$(ARCH)" "$(RIGHTSIZER_EXTENSION_BINARY)"

layer: extension ## pack the extension as Lambda layers for x86_64 and arm64
	@infra/layer.sh "$(RIGHTSIZER_EXTENSION_BINARY)" "$(TARGET)/layer/rightsizer-extension-$(ARCH).zip"
	@other="$(TARGET)/layer/$(OTHER_ARCH)/rightsizer-extension"; status=0; \
	infra/extension.sh "$(OTHER_ARCH)" "$$other" || status=$$?; \
	case $$status in \
	0) infra/layer.sh "$$other" "$(TARGET)/layer/rightsizer-extension-$(OTHER_ARCH).zip" ;; \
	3) ;; \
	*) exit $$status ;; \
	esac

# The folder between `make package` and `make deploy`. RIGHTSIZER_BINARIES=FOLDER packs binaries that
# were built elsewhere, the extension included.
PACKAGE ?= $(TARGET)/package
# What a person gives is passed on as it is: make would expand a $ in it, and a shell would read its quotes.
override STACK := $(value STACK)
override OPTIONS := $(value OPTIONS)
override TAGS := $(value TAGS)
override VPC := $(value VPC)
override SUBNETS := $(value SUBNETS)
override PORT := $(value PORT)
export STACK YES ANYWAY VPC SUBNETS OPTIONS TAGS PORT
deploy: export RIGHTSIZER_PACKAGE = $(PACKAGE)
layer-arn: export RIGHTSIZER_LAYER_ARCH = $(or $(LAYER_ARCH),$(ARCH))

package: $(if $(RIGHTSIZER_BINARIES),,layer) ## build what goes to an account: layers, the updater's zip, the aggregator's image
	@infra/package.sh "$(ARCH)" "$(PACKAGE)" "$(TARGET)/layer"

DIST ?= dist
dist: build layer ## pack the program for people who do not compile: a wheel, npm packages, an archive, both layers
	@rm -rf "$(DIST)"
	@python3 infra/dist.py pack "$(TARGET)/release/rightsizer" "$(DIST)"
	@for arch in x86_64 arm64; do \
	layer="$(TARGET)/layer/rightsizer-extension-$$arch.zip"; \
	if [ -f "$$layer" ]; then cp "$$layer" "$(DIST)/rightsizer-layer-$$arch.zip"; fi; \
	done
	@python3 infra/dist.py finish "$(DIST)" $(ADDRESS)

deploy: ## STACK=name: show what would change on your account; with YES=1 do it (VPC, SUBNETS, OPTIONS: infra/README.md)
	@python3 infra/account deploy "$$RIGHTSIZER_PACKAGE"

undeploy: ## STACK=name: show what would be removed; with YES=1 remove it, evidence included
	@python3 infra/account undeploy

connect: ## STACK=name: open a tunnel to the aggregator, for rightsizer list, approve, hold
	@python3 infra/account connect

layer-arn: ## STACK=name: the newest layer of a deployed system (LAYER_ARCH=arm64 for the other one)
	@python3 infra/account layer-arn "$$RIGHTSIZER_LAYER_ARCH"

flink: rust ## build the Flink job with the native library inside: infra/flink/target/rightsizer-flink.jar
	@echo "flink: building the native library"
	@cargo build --release -p rightsizer-flink
	@infra/flink/build.sh "$(TARGET)/release"

weigh: export RIGHTSIZER_REFERENCE_BINARY := $(TARGET)/layer/rightsizer-reference-extension
weigh: extension ## measure the extension's start, memory, CPU and size; EXTENSION="PATH …" measures others beside it
	@echo "weigh: building the reference extension"
	@infra/extension.sh "$(ARCH)" "$(RIGHTSIZER_REFERENCE_BINARY)" rightsizer-reference-extension
	@echo "weigh: building the benchmark"
	@cargo build -p rightsizer-tests --bin weigh --bin weigh-floor
	@"$(TARGET)/debug/weigh" $(WEIGH) $(EXTENSION)

power: extension ## measure real processes and the extension at the sizes of Lambda, beside the curve from one size (root)
	@$(BUILD)
	@RIGHTSIZER_BINARY="$(TARGET)/release/rightsizer" tests/tools/power_experiment.py $(POWER)

speed: rust ## measure how fast the aggregator takes evidence in and what a large fleet costs; SPEED="--fleet 1000000" takes minutes
	@echo "speed: building the aggregator and the benchmark for release"
	@cargo build --release -p rightsizer -p rightsizer-speed --bin rightsizer --bin speed
	@RIGHTSIZER_RELEASE_BINARY="$(TARGET)/release/rightsizer" "$(TARGET)/release/speed" $(SPEED)

compile-time: rust ## measure what compiling takes from nothing, in a folder of its own: CPU minutes, megabytes, seconds after an edit
	@tests/tools/compile-time.sh

soak: tools flink ## the kill tests in their long form: 200 kills of servers, 100 of tuning runs, 50 of Flink's processes, minutes
	@cargo build -p rightsizer
	@RIGHTSIZER_ROUNDS=200 cargo test -p rightsizer-tests --test files_and_locks -- --nocapture rounds
	@RIGHTSIZER_KILLS=100 cargo test -p rightsizer-tests --test tune -- --nocapture nothing_is_left
	@RIGHTSIZER_KILLS=50 cargo test -p rightsizer-flink --test cluster -- --nocapture kills

fuzz: rust ## mutate inputs of every decoder for 60 s each; SECONDS_EACH=600 for longer
	@cargo run --release -p rightsizer-fuzz -- $(or $(SECONDS_EACH),60)

tools: ## install the servers that the tests start into .tools (again only when their versions change)
	@tests/tools/install.sh

rust:
	@command -v cargo >/dev/null && command -v rustc >/dev/null || { \
	echo "Rust is missing. Install it from https://rustup.rs; rust-toolchain.toml then picks the version." >&2; exit 1; }
	@command -v cc >/dev/null || { \
	echo "cc, a C compiler, is missing. Debian, Ubuntu: apt install build-essential. Fedora: dnf install gcc. macOS: xcode-select --install." >&2; exit 1; }

clean: ## remove what was built and installed in this checkout (the cache outside it stays)
	@echo "clean: $(TARGET), .tools, demo-out, dist"
	@cargo clean --quiet
	@rm -rf .tools demo-out dist
