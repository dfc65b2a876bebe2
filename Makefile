# SPDX-License-Identifier: GPL-2.0-only
# make help says what there is.

# Where build products go; two builds at the same time need two places.
OUT ?= build
# Kernels to build for: the newest installed headers of each series.
# None before "make setup" has installed them, and what lists them.
KVER ?= $(if $(wildcard /usr/bin/python3),$(shell vm/kernels.py every))
# One that is named may be a series; with KDIR= it is a mere name.
ifneq ($(filter-out file,$(origin KVER)),)
ifneq ($(KDIR),)
ifeq ($(wildcard $(KDIR)/Makefile),)
$(error no kernel to build for in KDIR=$(KDIR))
endif
else
kvers := $(shell vm/kernels.py resolve $(KVER) 2>&1)
ifneq ($(.SHELLSTATUS),0)
$(error $(kvers))
endif
override KVER := $(kvers)
endif
endif
# Extra warnings of kbuild; W= turns them off.
W ?= 1
JOBS ?= 2
# DEBUG=1 builds the KUnit suites and stop points in; the debug kernel's modules have
# them. BREAK=NAME brings a bug of Documentation/testing.rst back (BREAK=all: any of
# them, chosen by the module parameter "broken"). No release build has either.
DEBUG ?=
BREAK ?=

KDIR_OF = $(or $(KDIR),$(shell vm/kernels.py build $(1)))
DEBUG_OF = $(or $(DEBUG),$(if $(filter %-kfd-debug,$(1)),1),$(if $(BREAK),1))
# the commands below mean the same whatever make calls this makefile
MAKEFLAGS += --no-print-directory

.PHONY: all
all: modules plugin selftests bench-tools demo-tools

.PHONY: help
help:
	@sed -n 's/^#: //p' Makefile

#: Targets
#:   all              modules, plugin, selftests, benchmark and demo programs
#:   check            what every change has to pass; TESTS=NAME... for some steps
#:   check-all        the whole matrix, soak, long fuzzing, coverage and benchmarks;
#:                    ROUNDS=n for another number of rounds than 200 of the soak;
#:                    RESUME=1 to go on where an earlier run on the same tree ended
#:   demo             simulated GPUs, a running program, its checkpoint and restore
#:   demo-liveupdate  a program becomes a new build of itself while its GPU goes on
#:   bench            the benchmarks; KERNEL=6.12 for demo and bench on that kernel,
#:                    WORLD=trixie for a demo in that release of Debian
#:   modules          amdkfd.ko and amdgpu_sim.ko in build/KVER; KVER=... for one kernel:
#:                    its version, or a series for the newest of it (KVER=6.1)
#:   world            make another release of Debian for guests, and build in it what they
#:                    run; WORLD=bookworm, trixie or sid (vm/run --world)
#:   debug-kernel     build the kernel of vm/debug.config, kept outside of this tree
#:   check-debug      all selftests, KUnit and the end-to-end test in that kernel
#:   fuzz             mutants of images into RESTORE in that kernel until one is a bug;
#:                    ROUNDS=n to end, RUNS=n for each round, SEED=n to begin with
#:   path/to/file.o   one object of the modules, for each kernel
#:   lint             modules with W=1 C=2, checkpatch, shellcheck: no warning allowed
#:   plugin, selftests, bench-tools, demo-tools
#:   setup            install the packages that all of this needs
#:   dkms-install     add, build and install with DKMS; KVER=... for other kernels than
#:                    the running one. dkms-remove removes all of it (scripts/dkms)
#:   clean

# ------------------------------------------------------------------- modules

define NL


endef

# One kbuild run per kernel; the lock is for two of them in the same place.
define kbuild
	@mkdir -p $(OUT)
	@flock $(OUT)/$(1).lock sh -ec ' \
		scripts/farm $(OUT)/$(1); \
		amdkfd/compat/configure.sh $(call KDIR_OF,$(1)) $(OUT)/$(1)/compat_config.h; \
		exec $(MAKE) -C $(call KDIR_OF,$(1)) M=$(abspath $(OUT))/$(1) \
			-j$(JOBS) W=$(W) $(if $(C),C=$(C)) \
			KFD_DEBUG=$(call DEBUG_OF,$(1)) KFD_BREAK=$(BREAK) $(2)'
endef

.PHONY: modules
modules: $(or $(KVER:%=modules-%),no-headers)

.PHONY: no-headers
no-headers:
	@echo "no kernel headers are installed (scripts/setup installs them)" >&2; exit 1

.PHONY: $(KVER:%=modules-%)
$(KVER:%=modules-%): modules-%:
	$(call kbuild,$*,modules)

.PHONY: FORCE
amdkfd/%.o: FORCE
	$(foreach k,$(KVER),$(call kbuild,$(k),$@)$(NL))

# ---------------------------------------------------------- everything else

# Two makes at once, for two demos say, do not write to the same object.
alone = @mkdir -p $(OUT) && flock $(OUT)/$(1).lock

.PHONY: plugin
plugin:
	$(call alone,criu-plugin) $(MAKE) -C criu-plugin OUT=$(abspath $(OUT))/criu-plugin

.PHONY: selftests
selftests:
	$(call alone,selftests) $(MAKE) -C selftests OUT=$(abspath $(OUT))/selftests

.PHONY: bench-tools
bench-tools:
	$(call alone,bench) $(MAKE) -C bench OUT=$(abspath $(OUT))/bench

.PHONY: demo-tools
demo-tools:
	$(call alone,demo) $(MAKE) -C demo OUT=$(abspath $(OUT))/demo

# What runs in a guest, without what is tested where it is built.
.PHONY: programs
programs: plugin demo-tools
	$(call alone,selftests) $(MAKE) -C selftests OUT=$(abspath $(OUT))/selftests tests

.PHONY: setup
setup:
	scripts/setup

.PHONY: lint
lint:
	scripts/lint $(KVER)

# What make is told on its command line is for itself: the makes that the check runs have
# a TESTS of their own.
no_overrides := env -u MAKEFLAGS -u MAKEOVERRIDES

.PHONY: check
check:
	@scripts/setup
	@$(no_overrides) scripts/check $(TESTS)

.PHONY: check-all
check-all:
	@scripts/setup
	@$(no_overrides) ROUNDS="$(ROUNDS)" scripts/check --all $(if $(RESUME),--resume) $(TESTS)

# All that a guest runs, built in its world with its compiler.
.PHONY: world
world:
	@scripts/setup
	@vm/world $(or $(WORLD),$(error WORLD=bookworm, trixie or sid)) > /dev/null
	@vm/world --in $(WORLD) $(MAKE) -s modules programs

.PHONY: debug-kernel
debug-kernel:
	@scripts/setup
	@vm/debug-kernel

.PHONY: check-debug
check-debug:
	@scripts/setup
	@scripts/check --all '*-debug'

.PHONY: fuzz
fuzz:
	@ROUNDS="$(ROUNDS)" RUNS="$(RUNS)" SEED="$(SEED)" selftests/fuzz/rounds --check
	@scripts/setup
	@vm/debug-kernel
	@$(MAKE) -s modules KVER="$$(vm/kernels.py headers debug)"
	@$(MAKE) -s -C selftests OUT=$(abspath $(OUT))/selftests tests
	@ROUNDS="$(ROUNDS)" RUNS="$(RUNS)" SEED="$(SEED)" selftests/fuzz/rounds

# What a guest needs, built where its programs come from: here, or in a world.
for_guest = $(if $(WORLD),vm/world $(WORLD) > /dev/null && vm/world --in $(WORLD)) sh -ec '\
	$(MAKE) -s modules KVER="$$(vm/kernels.py headers $(KERNEL))"; $(MAKE) -s $(1)'

.PHONY: demo
demo:
	@demo/run --check
	@scripts/setup
	@$(call for_guest,plugin demo-tools)
	@demo/run

.PHONY: demo-liveupdate
demo-liveupdate:
	@demo/run --check DEMO=liveupdate
	@scripts/setup
	@$(call for_guest,demo-tools)
	@demo/run DEMO=liveupdate

.PHONY: bench
bench:
	@bench/run --check
	@scripts/setup
	@$(MAKE) -s modules KVER="$$(vm/kernels.py headers $(KERNEL))"
	@$(MAKE) -s plugin bench-tools
	@bench/run

# ---------------------------------------------------------------------- DKMS

# Installs sources and built modules; nothing that loads them at boot. For the
# running kernel, unless KVER= names others.
.PHONY: dkms-install
dkms-install:
	@scripts/dkms install $(if $(filter-out file,$(origin KVER)),$(KVER))

.PHONY: dkms-source
dkms-source:
	@scripts/dkms source $(DESTDIR)

.PHONY: dkms-remove
dkms-remove:
	@scripts/dkms remove

.PHONY: clean
clean:
	rm -rf $(OUT)
