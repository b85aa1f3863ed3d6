# libctcd: how everything is built, tested and installed. `make help` lists the targets.
# Needs GNU make. Nothing has to be configured; ./configure, where somebody runs it, writes config.mk.
#
#   BUILD=dir     builds there instead of in build/        V=1      shows the commands
#   CC, CFLAGS, CPPFLAGS, LDFLAGS, WERROR=-Werror          prefix, libdir, ..., DESTDIR as usual
SHELL := /bin/bash
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# Called as `make -f ../Makefile` from another folder: that folder becomes BUILD.
FROM := $(dir $(lastword $(MAKEFILE_LIST)))
ifneq ($(FROM),./)
.PHONY: $(or $(MAKECMDGOALS),all)
$(firstword $(or $(MAKECMDGOALS),all)):
	@$(MAKE) --no-print-directory -C '$(FROM)' BUILD="$$(realpath --relative-to='$(FROM)' .)" $(MAKECMDGOALS)
$(wordlist 2,99,$(MAKECMDGOALS)): $(firstword $(MAKECMDGOALS)) ;
else

BUILD := build
ifneq ($(words $(BUILD)),1)
$(error BUILD must not contain a blank (the folder of the checkout may); it is "$(BUILD)")
endif
-include config.mk
-include $(BUILD)/config.mk

VERSION := $(shell sed -n 's/^\#define CTCD_VERSION_[MP][A-Z]* *//p' include/ctcd/base.h | paste -sd.)
SONAME := libctcd.so.0

CFLAGS ?= -O2 -g
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
PYTHON ?= python3
VENV ?= build/venv
PACKAGES := libcurl jansson yaml-0.1 sqlite3

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
libexecdir ?= $(exec_prefix)/libexec
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
datadir ?= $(datarootdir)
INSTALL ?= install

V ?= 0
say = $(if $(filter 0,$(V)),@printf '  %-5s %s\n' $(1) '$(2)';,)

# ---- sources ----------------------------------------------------------------------------------
LIB_C := $(sort $(wildcard lib/*/*.c lib/*/*/*.c))
CLI_C := $(sort $(wildcard cli/*.c))
SHIM_C := $(sort $(wildcard shim/*.c))
SHIM_LIB_C := $(shell sed -n 's/^SHIM_NEEDS *//p' shim/needs 2>/dev/null)
UNIT_C := $(sort $(wildcard tests/unit/test_*.c))
API_C := $(sort $(wildcard tests/api/test_*.c))
FAULT_C := $(sort $(wildcard tests/fault/test_*.c))
PROGRAM_C := $(sort $(filter-out %_preload.c,$(wildcard tests/programs/*.c)))
PRELOAD_C := $(sort $(wildcard tests/programs/*_preload.c))
SUPPORT_C := $(sort $(wildcard tests/support/*.c))
FUZZ_C := $(sort $(wildcard tests/fuzz/fuzz_*.c))

LIB_O := $(LIB_C:%.c=$(BUILD)/obj/so/%.o)
TEST_LIB_O := $(LIB_C:%.c=$(BUILD)/obj/test/%.o)
CLI_O := $(CLI_C:%.c=$(BUILD)/obj/cli/%.o)
SHIM_O := $(SHIM_C:%.c=$(BUILD)/obj/shim/%.o) $(SHIM_LIB_C:%.c=$(BUILD)/obj/shim/%.o)
SUPPORT_O := $(SUPPORT_C:%.c=$(BUILD)/obj/check/%.o)

UNIT := $(UNIT_C:tests/unit/%.c=$(BUILD)/test/%)
API := $(API_C:tests/api/%.c=$(BUILD)/test/%)
FAULT := $(FAULT_C:tests/fault/%.c=$(BUILD)/test/%)
PROGRAMS := $(PROGRAM_C:tests/programs/%.c=$(BUILD)/test/%) $(PRELOAD_C:tests/programs/%.c=$(BUILD)/test/%.so)
SUITES := $(UNIT) $(API) $(FAULT)
# A fuzz target is built three times: with a plain main() over its seeds, which is a suite like the others,
# with libFuzzer, and with libFuzzer and a planted bug.
REPLAYS := $(FUZZ_C:tests/fuzz/%.c=$(BUILD)/test/%)
FUZZERS := $(FUZZ_C:tests/fuzz/fuzz_%.c=$(BUILD)/test/fuzzer_%)
PLANTED := $(FUZZ_C:tests/fuzz/fuzz_%.c=$(BUILD)/test/planted_%)
ifneq ($(words $(sort $(SUITES) $(PROGRAMS) $(REPLAYS))),$(words $(SUITES) $(PROGRAMS) $(REPLAYS)))
$(error two tests have the same file name; in all of tests/ each needs its own)
endif

# ---- flags ------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-overlength-strings $(WERROR)
BASE_FLAGS := -std=c11 -D_GNU_SOURCE -fno-strict-aliasing -fstack-protector-strong $(WARN) -MMD -MP
COMPILE = $(CC) $(BASE_FLAGS) $(CONFIG_FLAGS) $(CPPFLAGS) $(CFLAGS)
CONFIG_FLAGS := $(addprefix -include ,$(firstword $(wildcard $(BUILD)/config.h config.h)))
LINK = $(CC) $(CFLAGS) -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
LIBEXEC := $(libexecdir)/ctcd
# The few files that hold an installed path are the only ones that a change of prefix compiles again.
PATH_C := $(shell grep -rls CTCD_LIBEXECDIR lib --include=*.c)
PATH_FLAGS = $(if $(filter $(PATH_C),$<),-DCTCD_LIBEXECDIR='"$(LIBEXEC)"')

# Rewritten only when its content changes; what depends on it is then built again.
remember = $(shell mkdir -p '$(BUILD)' && { [ "$$(cat $(BUILD)/$(1) 2>/dev/null)" = '$(subst ','\'',$(2))' ] || \
	printf '%s\n' '$(subst ','\'',$(2))' >$(BUILD)/$(1); })

NO_BUILD := help clean uninstall map format check check-slow check-deps check-fuzzer check-venv check-server check-gunicorn check-runners check-bench bench lint dist distcheck
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
$(call remember,flags,$(CC) $(BASE_FLAGS) $(CONFIG_FLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))
$(call remember,paths,$(LIBEXEC))
include $(BUILD)/packages.mk
endif

# What the library's packages say, asked once; before that, what is missing is installed.
$(BUILD)/packages.mk: tools/deps
	@mkdir -p $(@D)
	@$(DEPS) build
	@{ echo "PACKAGE_CFLAGS := $$($(PKG_CONFIG) --cflags $(PACKAGES))"; \
	   echo "PACKAGE_LIBS := $$($(PKG_CONFIG) --libs $(PACKAGES))"; } >$@.new && mv $@.new $@

# ---- what is built ----------------------------------------------------------------------------
.PHONY: all lib cli shim unit api fault programs tests
all: lib shim cli ## the library, the shim and the command: build/libctcd.so.0, build/ctcd-shim, build/ctcd
lib: $(BUILD)/$(SONAME) $(BUILD)/libctcd.so
cli: $(BUILD)/ctcd
shim: $(BUILD)/ctcd-shim
unit: $(UNIT)
api: $(API)
fault: $(FAULT)
programs: $(PROGRAMS)
tests: $(SUITES) $(REPLAYS) $(PROGRAMS) $(if $(CLI_C),$(BUILD)/test/ctcd)

$(LIB_O) $(TEST_LIB_O) $(CLI_O) $(SHIM_O) $(SUPPORT_O): $(BUILD)/flags | $(BUILD)/packages.mk
$(PATH_C:%.c=$(BUILD)/obj/so/%.o) $(PATH_C:%.c=$(BUILD)/obj/test/%.o): $(BUILD)/paths

$(BUILD)/obj/so/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -fPIC -fvisibility=hidden -Iinclude -Ilib $(PATH_FLAGS) $(PACKAGE_CFLAGS) -c $< -o $@
$(BUILD)/obj/test/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (test))$(COMPILE) -fPIC -DCTCD_TEST -Iinclude -Ilib $(PATH_FLAGS) $(PACKAGE_CFLAGS) -c $< -o $@
$(BUILD)/obj/cli/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -Iinclude -c $< -o $@
$(BUILD)/obj/shim/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (shim))$(COMPILE) -Iinclude -Ilib -c $< -o $@
$(BUILD)/obj/check/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -Iinclude -Ilib -Itests/unit -Itests/support -c $< -o $@

$(BUILD)/$(SONAME): $(LIB_O) lib/libctcd.map
	$(call say,LINK,$@)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,lib/libctcd.map \
		-Wl,-z,defs -Wl,-z,nodelete $(LIB_O) $(PACKAGE_LIBS) -pthread -lm -o $@
$(BUILD)/libctcd.so: $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $@
$(BUILD)/test/libctcd-test.a: $(TEST_LIB_O)
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(TEST_LIB_O)
$(BUILD)/ctcd-shim: $(SHIM_O)
	$(call say,LINK,$@)$(LINK) $(SHIM_O) -o $@
$(BUILD)/ctcd: $(CLI_O) $(BUILD)/libctcd.so
	$(call say,LINK,$@)$(LINK) $(CLI_O) -L$(BUILD) -lctcd -Wl,-rpath,'$$ORIGIN' -o $@
# The library finds the shim beside itself; a program that holds the library inside needs it there, too.
$(BUILD)/test/ctcd-shim: $(BUILD)/ctcd-shim
	@mkdir -p $(@D)
	@ln -sf ../ctcd-shim $@
$(BUILD)/test/ctcd: $(CLI_O) $(BUILD)/test/libctcd-test.a
	$(call say,LINK,$@)$(LINK) $(CLI_O) $(BUILD)/test/libctcd-test.a $(PACKAGE_LIBS) -pthread -lm -o $@

# ---- tests: each file one program -------------------------------------------------------------
TEST_FLAGS = -Iinclude -Itests/unit -Itests/support -MT $@ -MF $@.d
CHECK_LIBS = $$($(PKG_CONFIG) --libs check)
SHIM_BESIDE := $(if $(SHIM_C),$(BUILD)/test/ctcd-shim)
$(UNIT) $(API) $(FAULT) $(PROGRAMS): $(BUILD)/flags
$(UNIT): $(BUILD)/test/%: tests/unit/%.c $(BUILD)/test/libctcd-test.a $(SUPPORT_O) | $(SHIM_BESIDE)
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) -DCTCD_TEST -Ilib $< $(SUPPORT_O) -o $@ $(LDFLAGS) \
		$(BUILD)/test/libctcd-test.a $(PACKAGE_LIBS) $(CHECK_LIBS) -pthread -lm
$(FAULT): $(BUILD)/test/%: tests/fault/%.c $(BUILD)/test/libctcd-test.a $(SUPPORT_O) | $(SHIM_BESIDE)
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) -DCTCD_TEST -Ilib $< $(SUPPORT_O) -o $@ $(LDFLAGS) \
		$(BUILD)/test/libctcd-test.a $(PACKAGE_LIBS) $(CHECK_LIBS) -pthread -lm
$(API): $(BUILD)/test/%: tests/api/%.c $(BUILD)/libctcd.so $(SUPPORT_O)
	@mkdir -p $(@D)
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) $< $(SUPPORT_O) -o $@ $(LDFLAGS) \
		-L$(BUILD) -lctcd -Wl,-rpath,'$$ORIGIN/..' $(CHECK_LIBS) -pthread -lm
# What would go out to the network or wait for the disk is taken over by the target.
WRAP_answer := registry_ask ctcd_call_progress ctcd_call_folder fsync
WRAP_model := file_read
COMMA := ,
FUZZ_LINK = $(patsubst %,-Wl$(COMMA)--wrap=%,$(WRAP_$(lastword $(subst _, ,$(notdir $@))))) $(LDFLAGS) $(BUILD)/test/libctcd-test.a \
	$(PACKAGE_LIBS) -pthread -lm
$(REPLAYS) $(FUZZERS) $(PLANTED): $(BUILD)/flags $(BUILD)/test/libctcd-test.a
$(REPLAYS): $(BUILD)/test/%: tests/fuzz/%.c tests/fuzz/replay.c
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) -DCTCD_TEST -Ilib $(filter %.c,$^) -o $@ $(FUZZ_LINK)
$(FUZZERS): $(BUILD)/test/fuzzer_%: tests/fuzz/fuzz_%.c
	$(call say,FUZZ,$<)$(COMPILE) $(TEST_FLAGS) -DCTCD_TEST -Ilib -fsanitize=fuzzer $< -o $@ $(FUZZ_LINK)
$(PLANTED): $(BUILD)/test/planted_%: tests/fuzz/fuzz_%.c
	$(call say,FUZZ,$< (planted))$(COMPILE) $(TEST_FLAGS) -DCTCD_TEST -DPLANTED -Ilib -fsanitize=fuzzer $< -o $@ $(FUZZ_LINK)
$(PROGRAM_C:tests/programs/%.c=$(BUILD)/test/%): $(BUILD)/test/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) $< -o $@ $(LDFLAGS) -pthread -lm
$(PRELOAD_C:tests/programs/%.c=$(BUILD)/test/%.so): $(BUILD)/test/%.so: tests/programs/%.c
	@mkdir -p $(@D)
	$(call say,TEST,$<)$(COMPILE) $(TEST_FLAGS) -fPIC -shared $< -o $@ $(LDFLAGS) -ldl

# ---- checking ---------------------------------------------------------------------------------
STAGES := unit api fault cli rig valgrind sanitize fuzz install
RIG_PY := $(sort $(wildcard tests/rig/test_*.py))
CLI_PY := $(sort $(wildcard tests/cli/test_*.py))
BENCH_PY := $(sort $(wildcard bench/bench_*.py))
FUZZ_PY := $(sort $(wildcard tests/fuzz/fuzz_*.py))
FUZZ_SECONDS ?= 30
QUIET_PY := tests/rig/test_ready.py $(addprefix tests/cli/test_,many.py kills.py edges.py daemon_edges.py house_edges.py run_changes.py cron.py \
	cron_oracle.py)
QUIET_C := $(BUILD)/test/test_host_loop
RESULTS ?= $(BUILD)/test/results
JOBS ?= 2
RUN = tools/run-suites --build $(BUILD) --results $(RESULTS) --jobs $(JOBS) --venv-python $(VENV)/bin/python $(RUN_FLAGS)
DEPS = CC='$(CC)' PYTHON='$(PYTHON)' VENV='$(VENV)' tools/deps
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: check check-slow check-quiet check-deps check-fuzzer check-venv check-server check-gunicorn check-runners check-bench bench demo lint $(STAGES:%=check-%)
check: ## everything that proves it works, one stage after the other: STAGES
	@$(DEPS) check
	+@MAKE='$(MAKE)' BUILD='$(BUILD)' RESULTS='$(RESULTS)' tools/check $(STAGES)
check-slow: ## what takes too long for `make check`: bounds on time, then the same suites repeated under load
	@$(DEPS) check
	+@MAKE='$(MAKE)' BUILD='$(BUILD)' RESULTS='$(RESULTS)' tools/check --slow $(STAGES)
check-deps:
	@$(DEPS) suites
check-fuzzer:
	@$(DEPS) fuzz
check-venv:
	@$(DEPS) check
# A test that cannot be built is a failure of its own; the others still run.
check-unit: check-deps ## unit suites, inside the library, and the seeds of the fuzz targets
	+@$(SUBMAKE) -k $(UNIT) $(REPLAYS) $(PROGRAMS); built=$$?; $(RUN) unit $(UNIT) $(REPLAYS) && [ $$built = 0 ]
check-api: check-deps ## API suites, against the shared library
	+@$(SUBMAKE) -k $(API) $(PROGRAMS) all; built=$$?; $(RUN) api $(API) && [ $$built = 0 ]
check-fault: check-deps ## fault injection
	+@$(SUBMAKE) -k $(FAULT) $(PROGRAMS) all; built=$$?; $(RUN) --timeout 600 fault $(FAULT) && [ $$built = 0 ]
check-cli: check-venv ## the command, from outside
	+@$(SUBMAKE) -k all tests; built=$$?; $(RUN) --timeout 600 --python $(PYTHON) cli $(CLI_PY) && [ $$built = 0 ]
check-quiet: check-venv ## bounds on time, on a machine that does nothing else
	+@$(SUBMAKE) -k all tests; built=$$?; $(RUN) --timeout 1800 --jobs 1 --quiet-machine --python $(PYTHON) quiet $(QUIET_PY) $(QUIET_C) && [ $$built = 0 ]
check-bench: check-venv
	@$(DEPS) bench
	+@$(SUBMAKE) all; built=$$?; $(RUN) --timeout 900 --jobs 1 --python $(PYTHON) bench $(BENCH_PY) && [ $$built = 0 ]
bench: check-bench ## how fast against its peers, each measured in the same run
check-server:
	@$(DEPS) server
check-gunicorn:
	@$(DEPS) gunicorn
check-runners:
	@$(DEPS) runners
check-rig: check-venv check-server check-gunicorn check-runners ## real model servers
	+@$(SUBMAKE) -k all tests; built=$$?; $(RUN) --timeout 900 --python $(VENV)/bin/python rig $(RIG_PY) && [ $$built = 0 ]
check-valgrind: check-deps ## unit and API suites under valgrind
	+@$(SUBMAKE) -k $(UNIT) $(API) $(PROGRAMS) all; built=$$?; $(RUN) --valgrind --log-suffix .valgrind $(addprefix --suppressions ,$(wildcard tests/valgrind.supp)) valgrind $(UNIT) $(API) && [ $$built = 0 ]
check-sanitize: check-deps ## unit, API and fault suites with the address and undefined-behaviour sanitizers
	+@$(SUBMAKE) BUILD=$(BUILD)/sanitize VENV='$(VENV)' RESULTS='$(RESULTS)' \
		CFLAGS='-O1 -g $(SANITIZE)' LDFLAGS='$(LDFLAGS) $(SANITIZE)' sanitized-suites
.PHONY: sanitized-suites
sanitized-suites:
	+@$(SUBMAKE) -k $(SUITES) $(REPLAYS) $(PROGRAMS) all; built=$$?; $(RUN) --timeout 600 sanitize $(SUITES) $(REPLAYS) && [ $$built = 0 ]
check-fuzz: check-fuzzer ## libFuzzer, all targets side by side for FUZZ_SECONDS (30)
	+@$(SUBMAKE) -k BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -g $(FUZZ)' fuzzers; built=$$?; \
		FUZZ_SECONDS=$(FUZZ_SECONDS) $(RUN) --jobs $(words $(FUZZ_PY)) --timeout $$(($(FUZZ_SECONDS) + 600)) \
		--python $(PYTHON) fuzz $(FUZZ_PY) && [ $$built = 0 ]
.PHONY: fuzzers
fuzzers: $(FUZZERS) $(PLANTED)
check-install: check-deps ## a staged install, the example in C compiled against it, uninstall
	@MAKE='$(MAKE)' BUILD='$(BUILD)' RESULTS='$(RESULTS)' CC='$(CC)' tools/check-install
lint: ## style and borders: layers, headers, exports, documentation, lengths, format, -Werror
	@$(DEPS) lint
	+@MAKE='$(MAKE)' BUILD='$(BUILD)' $(PYTHON) tools/lint/lint
demo: ## the digits pipeline on a real model server; SOURCE=registry: through a tracking server
	@$(DEPS) demo
	@[ '$(SOURCE)' != registry ] || $(DEPS) server
	+@$(SUBMAKE) all
	@PATH="$(if $(filter /%,$(BUILD)),$(BUILD),$$PWD/$(BUILD)):$$PATH" \
		VENV="$(if $(filter /%,$(VENV)),$(VENV),$$PWD/$(VENV))" examples/digits/demo

# ---- installing -------------------------------------------------------------------------------
# The installed command finds the library relative to itself, unless it lies where the loader looks anyway.
INSTALL_RPATH = $(if $(filter /usr/lib /usr/lib/% /usr/lib64 /lib /lib/%,$(libdir)),,-Wl,-rpath,'$$ORIGIN/$(shell realpath -m --relative-to='$(bindir)' '$(libdir)')')
PUBLIC_H := $(sort $(wildcard include/ctcd/*.h))
.PHONY: install uninstall dist distcheck
install: all ## prefix=/usr/local, libdir, ..., DESTDIR
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)/pkgconfig' '$(DESTDIR)$(libexecdir)/ctcd' '$(DESTDIR)$(includedir)/ctcd' \
		'$(DESTDIR)$(datadir)/ctcd'
	$(LINK) $(CLI_O) -L$(BUILD) -lctcd $(INSTALL_RPATH) -o $(BUILD)/ctcd.installed
	$(INSTALL) -m 755 $(BUILD)/ctcd.installed '$(DESTDIR)$(bindir)/ctcd'
	$(INSTALL) -m 755 $(BUILD)/$(SONAME) '$(DESTDIR)$(libdir)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(libdir)/libctcd.so'
	$(INSTALL) -m 755 $(BUILD)/ctcd-shim '$(DESTDIR)$(libexecdir)/ctcd/ctcd-shim'
	$(INSTALL) -m 644 $(PUBLIC_H) '$(DESTDIR)$(includedir)/ctcd'
	$(INSTALL) -m 644 share/pipeline.schema.json '$(DESTDIR)$(datadir)/ctcd/pipeline.schema.json'
	sed -e 's|@prefix@|$(prefix)|; s|@exec_prefix@|$(exec_prefix)|; s|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|' \
		-e 's|@VERSION@|$(VERSION)|; s|@PACKAGES@|$(PACKAGES)|' pkgconfig/libctcd.pc.in >$(BUILD)/libctcd.pc
	$(INSTALL) -m 644 $(BUILD)/libctcd.pc '$(DESTDIR)$(libdir)/pkgconfig/libctcd.pc'
uninstall: ## takes away what install put there
	rm -f '$(DESTDIR)$(bindir)/ctcd' '$(DESTDIR)$(libdir)/$(SONAME)' '$(DESTDIR)$(libdir)/libctcd.so' \
		'$(DESTDIR)$(libdir)/pkgconfig/libctcd.pc' '$(DESTDIR)$(libexecdir)/ctcd/ctcd-shim' \
		'$(DESTDIR)$(datadir)/ctcd/pipeline.schema.json' \
		$(PUBLIC_H:include/ctcd/%='$(DESTDIR)$(includedir)/ctcd/%')
	@rmdir '$(DESTDIR)$(libexecdir)/ctcd' '$(DESTDIR)$(datadir)/ctcd' '$(DESTDIR)$(includedir)/ctcd' 2>/dev/null || true
dist: ## libctcd-VERSION.tar.gz, from what is tracked
	@$(DEPS) dist
	@tools/dist $(VERSION) $(BUILD)
distcheck: dist ## unpacks it, configures out of tree, builds, tests, installs, uninstalls
	@$(DEPS) suites
	+@MAKE='$(MAKE)' tools/dist --check $(VERSION) $(BUILD)

# ---- upkeep -----------------------------------------------------------------------------------
.PHONY: help map format clean
help: ## this list
	@echo 'usage: make [target] [BUILD=dir] [CC=..] [prefix=..]'
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20
map: ## writes lib/libctcd.map anew from the public headers
	tools/symbols map >lib/libctcd.map.new && mv lib/libctcd.map.new lib/libctcd.map
format: ## clang-format on all C files
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i
clean: ## removes what was built (the Python environment stays: rm -r build/venv)
	rm -rf $(filter-out $(VENV) $(VENV)-% $(BUILD)/venv $(BUILD)/venv-%,$(wildcard $(BUILD)/*))

-include $(shell [ -d $(BUILD) ] && find $(BUILD)/obj $(BUILD)/test -name '*.d' 2>/dev/null)
endif
