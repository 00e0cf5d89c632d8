# Everything here works from a fresh clone, as root on Debian 12 with Go and gcc.

GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Kernel tests are in files with this build tag. Each package with such files gets a kernel of its own, which takes some
# 3 seconds to boot; one that gets stuck is given up after KERNEL_TIMEOUT. go test starts them in this order: first those that take
# longest, lest one of them be alone at the end.
KERNEL_LONGEST = $(patsubst %,pkg/%/,internal/compat internal/pair config/ldirectord internal/traffic internal/likeness daemon internal/table)
KERNEL_FOUND = $(sort $(dir $(shell grep -rl --include='*_test.go' '^//go:build kernel$$' cmd pkg)))
KERNEL_PACKAGES = $(filter $(KERNEL_FOUND),$(KERNEL_LONGEST)) $(filter-out $(KERNEL_LONGEST),$(KERNEL_FOUND))
KERNEL_TIMEOUT ?= 20m
KERNEL_PARALLEL ?= 3

SHELL_SCRIPTS = $(filter-out %.c,$(wildcard scripts/*)) $(wildcard contrib/ocf/* contrib/package/p*)

PREFIX ?= /usr/local

.PHONY: help demo build install test test-race check test-page screenshots test-kernel bench fuzz security chaos endurance lint fmt packages release test-packages tools page-tools

help: ## list the targets
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

demo: tools build ## watch a director balance web and DNS on a real kernel, and take a dead server out
	scripts/demo

build: ## make bin/ipvsd and bin/ipvsctl
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

install: build ## copy programs, manual pages and the systemd unit to PREFIX (/usr/local)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin bin/ipvsd
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin bin/ipvsctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 contrib/man/*.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 contrib/man/*.5
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 contrib/man/*.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system contrib/systemd/ipvsd.service

# Two at a time, since most tests wait now and then; whatever installs something comes before them. The kernels are on their own: three take all
# that two processors have, and a director that stands still for seconds loses its role.
test: tools page-tools check ## run all tests: with the race detector here, in Chromium, on a real kernel, and of the Debian package
	@$(MAKE) -j2 test-race test-page test-packages
	@$(MAKE) test-kernel

test-race: ## run the tests that need no kernel of their own, with the race detector
	go test -race -timeout 20m ./...

check: ## look at the sources with gofmt, go vet and shellcheck
	@files=$$(gofmt -l .) && test -z "$$files" || { echo "make fmt would change: $$files" >&2; exit 1; }
	go vet ./...
	go vet -tags kernel ./...
	go vet -tags chromium ./...
	@scripts/install shellcheck
	shellcheck $(SHELL_SCRIPTS)

page-tools:
	@scripts/install chromium fonts-dejavu-core
	@scripts/install-axe

test-page: page-tools ## use the status page in Chromium, and have axe look at it
	go test -tags chromium -run '^TestPage' -count=1 -timeout 20m -v ./pkg/web

screenshots: page-tools ## make the pictures of the status page in contrib/screenshots
	mkdir -p contrib/screenshots
	go test -tags chromium -run '^TestPictures' -count=1 ./pkg/web -screenshots '$(CURDIR)/contrib/screenshots'

# Without cgo, as the programs are built. They are built here: in the lab that takes a minute for each package.
test-kernel: tools build ## run the tests that need IPVS: in place if this kernel has it, else in User Mode Linux
	CGO_ENABLED=0 IPVSD_PROGRAMS='$(CURDIR)/bin' go test -tags kernel -run '^TestKernel' -count=1 -timeout $(KERNEL_TIMEOUT) -p $(KERNEL_PARALLEL) \
		-exec "'$(CURDIR)/scripts/lab' -t 1250" $(addprefix ./,$(KERNEL_PACKAGES))

# CHAPTERS="growth web": these only; RUNS=3 BOOTS=2: so often; QUICK=1: small and once, to see that all works, into bin/book.
bench: tools build ## measure against keepalived and others, and write contrib/bench/book
	scripts/bench $(if $(CHAPTERS),-chapters '$(CHAPTERS)') $(if $(RUNS),-runs $(RUNS)) $(if $(BOOTS),-boots $(BOOTS)) $(if $(QUICK),-quick)

SEED ?= 1
SEEDS ?= 1
MINUTES ?= 2

chaos: tools build ## two or three directors suffer MINUTES of faults that SEED makes up, and SEEDS - 1 after it: make chaos SEED=17
	scripts/chaos -seed $(SEED) -seeds $(SEEDS) -minutes $(MINUTES)

RESTARTS ?= 100
UPGRADES ?= 100
RELOADS ?= 1000

endurance: tools build ## restart, upgrade and reload a director while ab and dnsperf ask, so often: RESTARTS=100 UPGRADES=100 RELOADS=1000
	CGO_ENABLED=0 IPVSD_PROGRAMS='$(CURDIR)/bin' go test -tags kernel -run '^TestKernelRestartsUnderLoad$$' -count=1 -timeout 3h -v \
		-exec "'$(CURDIR)/scripts/lab' -t 7200" ./pkg/internal/traffic -restarts $(RESTARTS) -upgrades $(UPGRADES) -reloads $(RELOADS)

fuzz: ## fuzz every decoder and parser for FUZZTIME (10m), one after the other; FUZZ=REGEXP says which
	scripts/fuzz

security: ## look at the sources with gosec, and for vulnerabilities that are known with govulncheck
	scripts/security

lint: ## look at the sources with golangci-lint and at go.mod
	go mod tidy -diff
	go run $(GOLANGCI_LINT) run

fmt: ## format the sources and go.mod
	gofmt -w .
	go mod tidy

packages: build ## make bin/ipvsd_VERSION_ARCH.deb and .rpm
	scripts/packages

release: ## packages, what is in them (CycloneDX) and SHA256SUMS in bin/release, after a second build with the same bytes
	scripts/release

test-packages: tools packages ## install them in a clean Debian, look at what is there, boot it, and purge them
	scripts/test-packages

# The Debian packages that the lab and its tests run: a kernel with IPVS, servers, and the observers.
tools:
	@scripts/install
