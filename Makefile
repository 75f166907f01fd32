# Verbs over CMake; `make` alone prints them. What each does stands in CMakePresets.json and tools/.
SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
CMD ?= PYTHONMALLOC=malloc $(PYTHON) examples/workload.py

# The tools behind the verbs must not take this make's flags for theirs.
cmake := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL cmake
ctest := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL ctest --output-on-failure --no-tests=error
libraries := mimalloc mimalloc-static mimalloc-object mimalloc-tool

.PHONY: help build run test tests-long fuzz soak conformance coverage mutation check docs site amalgam release format bench bench-quick bench-instructions install clean configure compile

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## build libmimalloc.so, libmimalloc.a, mimalloc.o and the command mimalloc into build/
	@tools/install_deps.sh build
	@$(MAKE) compile

run: ## run a program under mimalloc and beside it under the system's malloc: make run CMD="prog args"
	@tools/install_deps.sh build run
	@$(MAKE) compile
	@$(cmake) --build build --target side_by_side >/dev/null
	@build/tools/side_by_side build/libmimalloc.so '$(subst ','\'',$(CMD))'

test: ## install what the tests need, build, and run them all
	@tools/install_deps.sh build test check site
	@$(MAKE) configure
	@$(cmake) --build build --parallel $(JOBS)
	@cd build && $(ctest) --parallel $(JOBS) --label-exclude long

tests-long: ## run the tests that take minutes each
	@tools/install_deps.sh build test conformance cross
	@$(MAKE) configure
	@$(cmake) --build build --parallel $(JOBS)
	@cd build && $(ctest) --label-regex long

fuzz: ## fuzz with libFuzzer, an hour for each target: make fuzz SECONDS=600 TARGETS=operations ENGINE=afl
	@tools/install_deps.sh build fuzz
	@bash tests/fuzz/run.sh $(or $(SECONDS),3600) $(or $(ENGINE),libfuzzer) $(TARGETS)

soak: ## run servers under load with checks on answers and memory: make soak MINUTES=60
	@tools/install_deps.sh build test soak
	@$(MAKE) compile
	@$(PYTHON) tests/soak/soak.py build/libmimalloc.so $(or $(MINUTES),10)

conformance: ## run the tests that others wrote for python3, redis and perl: make conformance CONFORMANCE=all PROGRAMS=redis
	@tools/install_deps.sh build conformance
	@$(MAKE) compile
	@LIB=build/libmimalloc.so PYTHON=$(PYTHON) CONFORMANCE="$(CONFORMANCE)" bash tests/system/conformance.sh
	@LIB=build/libmimalloc.so PROGRAMS="$(PROGRAMS)" bash tests/system/conformance_sources.sh

mutation: ## make small mistakes in page and heap, and expect a test to fail: make mutation COUNT=100 SEED=1
	@tools/install_deps.sh build test
	@$(PYTHON) tests/mutation/run.py --count $(or $(COUNT),100) --seed $(or $(SEED),1)

coverage: ## measure which lines and branches the tests reach: build/coverage/report
	@tools/install_deps.sh build test coverage
	@tools/coverage.sh

check: ## check format, lint, layers, headers, exported names, house rules, prose and spelling
	@tools/install_deps.sh build check
	@$(MAKE) compile
	@cd build && $(ctest) --parallel $(JOBS) --label-regex check

docs: ## make the reference of the public interface from its headers: HTML and manual pages in build/docs
	@tools/install_deps.sh docs
	@$(PYTHON) tools/gen_reference.py build/docs

site: ## make the documentation site: static pages in build/site
	@tools/install_deps.sh docs site
	@$(PYTHON) tools/gen_site.py build/site

amalgam: ## make the whole library one file: mimalloc.c and its headers in build/amalgam
	@tools/install_deps.sh docs
	@$(PYTHON) tools/amalgamate.py build/amalgam

release: ## make a release of HEAD in build/release: tarballs, sums, bill of materials, notes
	@tools/install_deps.sh docs
	@$(PYTHON) tools/release.py build/release

format: ## rewrite the sources in the house's format
	@tools/install_deps.sh check
	@tools/check_format.py --fix

bench: ## measure beside glibc and its peers, about half an hour; NAMES="larson python3" for these alone
	@tools/install_deps.sh build bench
	@$(MAKE) compile
	@$(PYTHON) bench/run.py $(if $(NAMES),,--csv) --html build/bench/report.html $(foreach name,$(NAMES),'$(name)')

bench-quick: ## the same in two minutes, without real programs
	@tools/install_deps.sh build bench
	@$(MAKE) compile
	@$(PYTHON) bench/run.py --quick --html build/bench/report.html $(foreach name,$(NAMES),'$(name)')

bench-instructions: ## print instructions per malloc and free, by callgrind
	@tools/install_deps.sh build bench
	@$(MAKE) compile
	@$(PYTHON) bench/instructions/run.py --lib build/libmimalloc.so

install: build ## install below PREFIX (default /usr/local)
	@$(cmake) --install build --prefix $(PREFIX)

clean: ## remove build/
	@rm -rf build

configure:
	@$(cmake) -S . -B build

compile: configure
	@$(cmake) --build build --parallel $(JOBS) --target $(libraries)
