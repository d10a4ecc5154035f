# Ferry: virtual-machine state that describes itself.
#
#   make                 everything, into build/bin/
#   make setup           install the Debian packages needed (quick when they are there)
#   make demo            dump, convert, compare and check a recorded QEMU stream; run a PC, save it, and go on elsewhere
#   make check           all tests; ends with a line "N passed, N failed, N skipped"
#   make asan            the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make tsan            the programs of tests/stress under ThreadSanitizer
#   make lint            layers, mutable globals, format, static analysis, man pages
#   make format          clang-format everything
#   make fuzz            every fuzzer for FUZZ_SECONDS (60) each, starting from its corpus; FUZZ_SEED=1: repeatably
#   make mutate          flip bits in recorded streams and count what is noticed
#   make qcow2-workload  qcow2 images under random work (WORKLOAD_STEPS, 10000), held against a flat copy and qemu-img
#   make qcow2-kills     a program that writes to qcow2 images is killed KILLS (500) times: nothing is lost
#   make snapshot-faults    each operation on images fails in each way while the machine is saved, loaded and deleted
#   make snapshot-sequences SEQUENCES (200) random sequences of save, load, delete, write and restart, held against a model
#   make bench           benchmarks: medians, and ratios to a peer in the same run
#   make interop         record streams from the installed QEMU and take them there and back
#   make peers           clients of QMP that others wrote: QEMU's own (fetched from Debian), socat, libvirt
#   make exchange        a guest that checks itself, moved between QEMU and Ferry, many times (EXCHANGE_ARGS)
#   make exchange-live   the same while it runs, also with connections that are cut and migrations that are cancelled
#   make symmetry        what is saved and what is loaded agree, visit by visit, in Ferry and QEMU; which fields tests move
#   make testbed         tests in throw-away Debian hosts with a real KVM, in QEMU's TCG
#   make testbed-trips   Debian's Linux at work, moved between QEMU and Ferry there, TRIPS (50) times to and fro
#   make coverage        line coverage of the tests, as build/coverage/index.html
#   make install         programs, libqmp and man pages to DESTDIR/PREFIX (/usr/local); install-libqmp: only that
#   make clean
#
# Variables: CC (gcc), CONFIG (release; debug, asan, tsan, fuzz, coverage), WERROR=1, V=1. Each configuration has its own
# objects in build/CONFIG/; the programs of `release` go to build/bin/.

CONFIG ?= release
PREFIX ?= /usr/local
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifeq ($(origin CC),default)
CC := gcc
endif

# --- setup --------------------------------------------------------------------------------------------------------

PACKAGES_BUILD := gcc clang libclang-rt-dev make pkg-config libglib2.0-dev libtasn1-6-dev libtasn1-bin libzstd-dev zlib1g-dev \
    liblzma-dev libbz2-dev libxxhash-dev libjansson-dev liburing-dev libslirp-dev libvdeplug-dev libedit-dev libgnutls28-dev acpica-tools
PACKAGES_TEST := libcriterion-dev dumpasn1 openssl gdb binutils python3 xz-utils bzip2 zstd qemu-system-x86 qemu-utils seabios \
    clang-format cppcheck mandoc gcovr git e2fsprogs grub-pc-bin grub-common xorriso mtools pciutils \
    libvirt-dev libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients socat gnutls-bin

.PHONY: setup
setup:
	@tests/support/setup $(PACKAGES_BUILD) $(PACKAGES_TEST)

# What follows asks the packages for their flags as it is read; so what is wanted together with setup is made by another
# make, afterwards.
LATER := $(if $(filter setup,$(MAKECMDGOALS)),$(filter-out setup,$(MAKECMDGOALS)))
ifneq ($(LATER),)
.PHONY: $(LATER)
.NOTPARALLEL:
$(LATER): setup
	@$(MAKE) --no-print-directory $@
else

# --- what there is ------------------------------------------------------------------------------------------------

LAYERS := visitors qcow2 vmstate $(patsubst %/,%,$(wildcard emu/*/))
PROGRAMS := $(filter-out qapi-gen,$(patsubst tools/%/main.c,%,$(wildcard tools/*/main.c))) ferry
LIB_SRC := $(foreach l,$(LAYERS),$(wildcard $l/*.c))
TEST_SRC := $(wildcard tests/*/test-*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz-*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
STRESS_SRC := $(wildcard tests/stress/stress-*.c)
MUTATE_SRC := $(wildcard tests/mutate/*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
MANUALS := $(filter-out tools/qapi-gen/%,$(wildcard tools/*/*.1 emu/*.1))
SCRIPTS := $(wildcard tests/*/test-*.sh)
SCHEMA := $(wildcard emu/qmp/schema/*.json)

B := build/$(CONFIG)
BIN := $(if $(filter release,$(CONFIG)),build/bin,$(B)/bin)

# --- how it is compiled -------------------------------------------------------------------------------------------

PACKAGES := glib-2.0 libtasn1 libzstd zlib liblzma libxxhash jansson liburing slirp libedit
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) $(shell pkg-config --libs gnutls 2>/dev/null) -lbz2 -lvdeplug -lm

# libqmp goes through libvirt, too, if that is there.
LIBVIRT := $(shell pkg-config --exists libvirt-qemu 2>/dev/null && echo libvirt libvirt-qemu)

# Does libxxhash have the functions that choose by processor? Debian's has on x86.
XXH_DISPATCH := $(shell echo 'int main(void) { return !XXH3_64bits_dispatch("", 0); }' | \
    $(CC) -include xxh_x86dispatch.h -x c - -o /dev/null -lxxhash 2>/dev/null && echo -DFERRY_XXH_DISPATCH)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wvla \
        -Wundef -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wno-format-nonliteral -Wno-override-init $(if $(WERROR),-Werror)
OPT_release := -O2 -g
OPT_debug := -O0 -g3
OPT_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_fuzz := $(OPT_asan) -fsanitize=fuzzer-no-link
OPT_coverage := -O0 -g --coverage
ALL_CFLAGS := -std=gnu11 -I. -I$(B)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(OPT_$(CONFIG)) $(WARN) $(PKG_CFLAGS) $(XXH_DISPATCH) $(if $(LIBVIRT),-DLIBQMP_LIBVIRT) $(CFLAGS)
ALL_LDFLAGS := $(OPT_$(CONFIG)) $(LDFLAGS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $1 $2)

obj = $(patsubst %.c,$(B)/%.o,$1)
LIB := $(B)/libferry.a
BENCH := $(BENCH_SRC:%.c=$(B)/%)

# Objects are made again when the way to make them changes.
$(B)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | cmp -s - $@ || printf '%s\n' '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' >$@

define compile
$(call say,CC,$<)
@mkdir -p $(@D)
$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
endef
QAPI := $(if $(SCHEMA),$(B)/gen/qapi)
$(B)/%.o: %.c $(B)/flags | $(QAPI:%=%/made)
	$(compile)

# The control plane's types and tables, which qapi-gen makes of the schema before anything else is compiled. What it does
# not change keeps its time.
QAPI_GEN := $(BIN)/qapi-gen
QAPI_GEN_OBJ := $(call obj,$(wildcard tools/qapi-gen/*.c))
$(QAPI_GEN_OBJ): $(B)/%.o: %.c $(B)/flags
	$(compile)
$(QAPI_GEN): $(QAPI_GEN_OBJ)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs glib-2.0)
ifdef QAPI
$(QAPI)/made: $(QAPI_GEN) $(SCHEMA)
	$(call say,QAPI,emu/qmp/schema/ferry.json)
	$(Q)$(QAPI_GEN) --output=$(@D) emu/qmp/schema/ferry.json
	@touch $@
QAPI_SRC := $(patsubst %,$(QAPI)/%.c,types commands events client introspect)
$(QAPI_SRC) $(QAPI_SRC:.c=.h): $(QAPI)/made ;
$(QAPI_SRC:.c=.o): %.o: %.c $(B)/flags
	$(compile)
# Of the tables, that of commands needs every handler: it is linked into the program that has them. client.c is libqmp's.
QAPI_LIB := $(QAPI)/types.o $(QAPI)/events.o $(QAPI)/introspect.o
QAPI_COMMANDS := $(if $(wildcard emu/qmp/*.c),$(QAPI)/commands.o)
endif

# The ACPI tables' own language, compiled into an array.
$(B)/gen/dsdt.asl: emu/boot/dsdt.asl
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -undef -nostdinc -x c -o $@ $<
$(B)/gen/dsdt.c: $(B)/gen/dsdt.asl
	$(call say,IASL,emu/boot/dsdt.asl)
	$(Q)cd $(@D) && { iasl -tc -we -p dsdt dsdt.asl >dsdt.log 2>&1 || { cat dsdt.log; false; }; }
	$(Q){ echo '#include "emu/boot/dsdt-impl.h"'; sed -n 's/^unsigned char .*/const uint8_t boot_dsdt[] =/; /^const/,/^};/p' $(@D)/dsdt.hex; \
	    echo 'const size_t boot_dsdt_size = sizeof(boot_dsdt);'; } >$@
$(B)/gen/dsdt.o: $(B)/gen/dsdt.c emu/boot/dsdt-impl.h $(B)/flags
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(call obj,$(LIB_SRC)) $(B)/gen/dsdt.o $(QAPI_LIB)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

.PHONY: all force
all: $(PROGRAMS:%=$(BIN)/%) $(QAPI_GEN)
force:

# --- programs -----------------------------------------------------------------------------------------------------

define program
$(BIN)/$1: $(call obj,$(wildcard tools/$1/*.c) $(wildcard tools/common/*.c)) $(LIB)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(filter-out ferry qmp,$(PROGRAMS)),$(eval $(call program,$p)))

# The PC: emu/*.c, and the library.
$(BIN)/ferry: $(call obj,$(wildcard emu/*.c)) $(QAPI_COMMANDS) $(LIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# --- libqmp -------------------------------------------------------------------------------------------------------

# Everything that it needs is in it; it shows what its headers have and nothing else.
LIBDIR := $(if $(filter release,$(CONFIG)),build/lib,$(B)/lib)
LIBQMP := $(LIBDIR)/libqmp.so.0 $(LIBDIR)/libqmp.a
LIBQMP_SRC := $(wildcard tools/libqmp/*.c)
LIBQMP_HEADERS := tools/libqmp/libqmp.h vmstate/qapi.h visitors/error.h visitors/scalar.h $(QAPI)/types.h $(QAPI)/client.h
LIBQMP_OBJ := $(call obj,$(LIBQMP_SRC)) $(QAPI)/client.o
LIBQMP_PIC = $(call pic,$(LIBQMP_SRC) $(wildcard vmstate/qapi*.c) $(QAPI)/types.c $(QAPI)/client.c)
LIBQMP_LIBS := $(shell pkg-config --libs $(LIBVIRT) glib-2.0 jansson libxxhash 2>/dev/null) -lm

pic = $(patsubst %.c,$(B)/pic/%.o,$1)
$(B)/pic/%.o: %.c $(B)/flags | $(QAPI)/made
	$(call say,PIC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<
$(B)/pic/visitors.a: $(call pic,$(wildcard visitors/*.c))
	$(Q)rm -f $@ && ar rcs $@ $^
# What its headers have is what it shows.
$(B)/pic/libqmp.names: $(LIBQMP_HEADERS)
	$(Q)grep -ohE '\b(libqmp|qmp|qapi)_[A-Za-z0-9_]+' $^ | sort -u >$@
$(B)/pic/libqmp.o: $(LIBQMP_PIC) $(B)/pic/visitors.a $(B)/pic/libqmp.names
	$(Q)ld -r -o $@ $(LIBQMP_PIC) $(B)/pic/visitors.a
	$(Q)objcopy --keep-global-symbols=$(B)/pic/libqmp.names $@
$(LIBDIR)/libqmp.a: $(B)/pic/libqmp.o
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^
$(LIBDIR)/libqmp.so.0: $(B)/pic/libqmp.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q){ echo 'LIBQMP_0 { global:'; sed 's/$$/;/' $(B)/pic/libqmp.names; echo 'local: *; };'; } >$(B)/pic/libqmp.map
	$(Q)$(CC) $(ALL_LDFLAGS) -shared $(if $(findstring fsanitize,$(ALL_LDFLAGS)),,-Wl,-z,defs) -Wl,-soname,$(@F) -Wl,--version-script=$(B)/pic/libqmp.map -o $@ $< $(LIBQMP_LIBS)
	$(Q)ln -sf $(@F) $(@:.0=)
all: $(LIBQMP)

$(BIN)/qmp: $(call obj,$(wildcard tools/qmp/*.c) $(wildcard tools/common/*.c)) $(LIBQMP_OBJ) $(LIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBQMP_LIBS) -ledit

# --- tests --------------------------------------------------------------------------------------------------------

TESTS := $(TEST_SRC:%.c=$(B)/%)
SUPPORT := $(call obj,$(SUPPORT_SRC))
EMU_SUPPORT := $(call obj,$(wildcard tests/emu/support/*.c))
QCOW2_SUPPORT := $(call obj,$(wildcard tests/qcow2/support/*.c))

# The ASN.1 module, compiled for the tests that hold streams against it.
$(B)/gen/vmstate-asn1.c: visitors/vmstate.asn1
	@mkdir -p $(@D)
	$(Q)asn1Parser -o $@ -n vmstate_asn1 $< >/dev/null 2>&1
$(B)/gen/vmstate-asn1.o: $(B)/gen/vmstate-asn1.c
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-undef -c -o $@ $<

$(filter $(B)/tests/emu/%,$(TESTS)): $(EMU_SUPPORT)
$(filter $(B)/tests/qcow2/%,$(TESTS)): $(QCOW2_SUPPORT)
$(filter $(B)/tests/libqmp/%,$(TESTS)): $(call obj,$(wildcard tests/libqmp/support/*.c)) $(LIBQMP_OBJ)

# What qapi-gen makes of a schema that has everything, in place of the control plane's.
EVERYTHING := $(B)/gen/everything/qapi
EVERYTHING_SRC := $(patsubst %,$(EVERYTHING)/%.c,types commands events client introspect)
EVERYTHING_OBJ := $(EVERYTHING_SRC:.c=.o) $(patsubst %.c,$(B)/%.o,$(wildcard tests/qapi-gen/test-*.c))
$(EVERYTHING)/made: $(QAPI_GEN) $(wildcard tests/qapi-gen/schema/*.json tests/qapi-gen/schema/*/*.json)
	$(Q)$(QAPI_GEN) --output=$(@D) tests/qapi-gen/schema/everything.json
	@touch $@
$(EVERYTHING_SRC): $(EVERYTHING)/made ;
$(EVERYTHING_SRC:.c=.o): %.o: %.c $(B)/flags
	$(compile)
$(EVERYTHING_OBJ): private ALL_CFLAGS := -I$(B)/gen/everything $(ALL_CFLAGS)
$(EVERYTHING_OBJ): | $(EVERYTHING)/made
$(filter $(B)/tests/qapi-gen/%,$(TESTS)): $(EVERYTHING_SRC:.c=.o)
$(TESTS): $(B)/%: $(B)/%.o $(SUPPORT) $(B)/gen/vmstate-asn1.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter-out $(LIB),$^) $(LIB) $(PKG_LIBS) $(if $(filter tests/libqmp/%,$*),$(LIBQMP_LIBS)) -lcriterion

# What scripts among the tests run.
HELPERS := $(B)/tests/qcow2/random-workload $(B)/tests/qcow2/kill-workload $(B)/tests/snapshot/look
$(HELPERS): $(B)/%: $(B)/%.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# What is asked of Ferry and of QEMU.
SUITE := $(B)/tests/libqmp/suite/suite
$(SUITE): $(call obj,$(wildcard tests/libqmp/suite/*.c)) $(LIBQMP_OBJ) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBQMP_LIBS)

# Has a program's operations on its images fail; it comes before all other libraries, also those of sanitizers.
FAULTS := $(B)/tests/snapshot/faults.so
$(FAULTS): tests/snapshot/faults.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -fPIC -shared -o $@ $<

.PHONY: check tests asan tsan
tests: $(TESTS) $(HELPERS) $(SUITE) $(FAULTS) $(BENCH)
check: all tests guest $(B)/tests/symmetry/tracer
	@tests/support/run-tests $(B) $(BIN) $(TESTS) $(SCRIPTS)

# Criterion's own workers outlive a test that fails; what leaks there is not ours.
asan:
	@ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/support/lsan.supp:print_suppressions=0 \
	$(MAKE) CONFIG=asan check

STRESS := $(STRESS_SRC:%.c=$(B)/%)
$(STRESS): $(B)/%: $(B)/%.o $(SUPPORT) $(LIBQMP_OBJ) $(LIB)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LIBQMP_LIBS)
.PHONY: stress
stress: $(STRESS)
	@set -e; for program in $(STRESS); do $$program; done
tsan:
	@$(MAKE) CONFIG=tsan stress

# --- the other ways to hold it against something ------------------------------------------------------------------

FUZZERS := $(FUZZ_SRC:%.c=build/fuzz/%)
FUZZ_SUPPORT := $(call obj,$(wildcard tests/fuzz/support/*.c))
FUZZ_SECONDS ?= 60
FUZZ_SEED ?=
ifeq ($(CONFIG),fuzz)
$(B)/tests/fuzz/fuzz-qapi-gen: $(filter-out %/main.o,$(QAPI_GEN_OBJ))
$(FUZZERS): $(B)/%: $(B)/%.o $(FUZZ_SUPPORT) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter-out $(LIB),$^) $(LIB) $(PKG_LIBS)
$(B)/tests/fuzz/fuzz-qmp-client: PKG_LIBS += $(LIBQMP_LIBS)
$(B)/tests/fuzz/fuzz-qmp-client: $(LIBQMP_OBJ)
.PHONY: fuzzers
fuzzers: $(FUZZERS)
endif
.PHONY: fuzz
fuzz: all
	@$(MAKE) --no-print-directory CC=clang CONFIG=fuzz fuzzers
	@FUZZ_SEED=$(FUZZ_SEED) tests/fuzz/run-fuzzers $(FUZZ_SECONDS) $(FUZZERS)

MUTATE := $(MUTATE_SRC:%.c=$(B)/%)
$(MUTATE): $(B)/%: $(B)/%.o $(SUPPORT) $(LIB)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
.PHONY: mutate
mutate: all $(MUTATE)
	@set -e; for program in $(MUTATE); do $$program traces $(MUTATE_ARGS); done

$(BENCH): $(B)/%: $(B)/%.o $(SUPPORT) $(LIB)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
.PHONY: bench
bench: all guest $(BENCH)
	@tests/bench/run-bench $(BIN) $(B) $(BENCH_ARGS)
	@tests/bench/pc $(BIN) $(B)/guest/witness.elf
	@tests/bench/io $(BIN) $(B)/guest/witness.elf $(B)/tests/bench
	@tests/bench/qcow2 $(BIN)
	@tests/bench/qmp $(BIN)
	@tests/bench/snapshot $(BIN) $(B)/guest/witness.elf

# Qcow2 images under everything that users do, held against qemu-img.
WORKLOAD_STEPS ?= 10000
.PHONY: qcow2-workload
qcow2-workload: $(B)/tests/qcow2/random-workload
	@dir=$$(mktemp -d) && program=$$PWD/$< && cd $$dir && $$program --steps=$(WORKLOAD_STEPS) --seed=$$(date +%j%H%M) $(WORKLOAD_ARGS); \
	    status=$$?; [ $$status -ne 0 ] && echo "it is kept: $$dir" || rm -rf $$dir; exit $$status

# A program that writes to qcow2 images is killed so often.
KILLS ?= 500
.PHONY: qcow2-kills
qcow2-kills: $(B)/tests/qcow2/kill-workload
	@dir=$$(mktemp -d) && program=$$PWD/$< && cd $$dir && $$program --kills=$(KILLS) --seed=$$(date +%j%H%M); \
	    status=$$?; [ $$status -ne 0 ] && echo "it is kept: $$dir" || rm -rf $$dir; exit $$status

# Every operation on images fails while snapshots are saved, loaded and deleted; and random sequences of all that.
.PHONY: snapshot-faults snapshot-sequences
snapshot-faults: all guest $(FAULTS) $(B)/tests/snapshot/look
	@tests/snapshot/faults.py $(BIN) $(B) $(FAULTS_ARGS)
SEQUENCES ?= 200
snapshot-sequences: all $(B)/tests/snapshot/look
	@tests/snapshot/sequences.py $(BIN) $(B) --count=$(SEQUENCES) $(SEQUENCES_ARGS)

.PHONY: interop
interop: all
	@tests/interop/interop --bin=$(BIN) $(INTEROP_ARGS)

.PHONY: peers
peers: $(BIN)/ferry
	@tests/qmp/peers --bin=$(BIN)

# The payload: freestanding, 64 bits in a file of 32, which is what multiboot 1 asks for.
GUEST_CFLAGS := -std=gnu11 -I. -O2 -g -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mno-red-zone -mgeneral-regs-only \
    -fno-asynchronous-unwind-tables -fcf-protection=none $(filter-out -Wmissing-prototypes,$(WARN))
GUEST_OBJ := $(patsubst tests/guest/%,$(B)/guest/%.o,$(wildcard tests/guest/*.c tests/guest/*.S))
$(B)/guest/%.o: tests/guest/% $(B)/flags
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/guest/witness.elf: $(GUEST_OBJ) tests/guest/witness.ld
	$(call say,LD,$@)
	$(Q)ld -nostdlib -static -T tests/guest/witness.ld --build-id=none -z max-page-size=4096 --no-warn-rwx-segments \
	    -o $@.64 $(GUEST_OBJ)
	$(Q)objcopy -O elf32-i386 $@.64 $@
.PHONY: guest exchange exchange-live
guest: $(B)/guest/witness.elf
exchange: all guest
	@tests/exchange/exchange --bin=$(BIN) --guest=$(B)/guest/witness.elf $(EXCHANGE_ARGS)

exchange-live: all guest
	@tests/exchange/live --bin=$(BIN) --guest=$(B)/guest/witness.elf $(EXCHANGE_ARGS)

# What is saved and what is loaded, visit by visit.
TRACER := $(B)/tests/symmetry/tracer
$(TRACER): $(B)/tests/symmetry/tracer.o $(SUPPORT) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
.PHONY: symmetry
symmetry: all guest $(TRACER)
	@tests/symmetry/symmetry --bin=$(BIN) --build=$(B) $(SYMMETRY_ARGS)

.PHONY: testbed
testbed: all guest $(B)/tests/emu/test-smm
	@tests/support/run-tests $(B) $(BIN) tests/testbed/run-tests.sh tests/testbed/linux-tests.sh tests/testbed/smm-tests.sh
TRIPS ?= 50
.PHONY: testbed-trips
testbed-trips: all
	@tests/testbed/trips $(TRIPS) $(TRIPS_ARGS)

.PHONY: lint format coverage
lint: $(LIB)
	@tests/support/lint $(LIB)
format:
	@clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

coverage:
	@$(MAKE) CONFIG=coverage check
	@mkdir -p build/coverage
	@gcovr --root . --filter visitors/ --filter vmstate/ --filter tools/ --html-details build/coverage/index.html --txt - build/coverage

# --- for people ---------------------------------------------------------------------------------------------------

.PHONY: demo install clean help
demo: all guest
	@tools/demo.sh $(BIN)
	@if [ -w /dev/kvm ]; then tools/demo-pc.sh $(BIN) $(B)/guest/witness.elf; else \
	    echo; echo 'There is no /dev/kvm here that can be used: what follows runs in a throw-away host that has one.'; \
	    tests/testbed/testbed --with tools --with $(B)/guest --timeout 600 -- tools/demo-pc.sh $(BIN) $(B)/guest/witness.elf; fi

# As a program outside this tree wants it.
INCLUDE := $(DESTDIR)$(PREFIX)/include/ferry
.PHONY: install-libqmp
install-libqmp: $(LIBQMP)
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 $(LIBQMP) $(DESTDIR)$(PREFIX)/lib
	ln -sf libqmp.so.0 $(DESTDIR)$(PREFIX)/lib/libqmp.so
	for header in $(LIBQMP_HEADERS); do to=$${header#$(B)/gen/}; install -D -m 644 $$header $(INCLUDE)/$${to#tools/libqmp/} || exit; done
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|0.1|; s|@LIBVIRT@|$(LIBVIRT)|' tools/libqmp/libqmp.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/libqmp.pc
	install -m 644 tools/libqmp/libqmp.3 $(DESTDIR)$(PREFIX)/share/man/man3

install: all install-libqmp
	@mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(PROGRAMS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MANUALS) $(DESTDIR)$(PREFIX)/share/man/man1
ifdef QAPI
	@mkdir -p $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/doc/ferry $(DESTDIR)$(PREFIX)/share/ferry
	install -m 644 $(QAPI)/qmp-reference.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 $(QAPI)/qmp-reference.html $(DESTDIR)$(PREFIX)/share/doc/ferry
	install -m 644 $(QAPI)/completion.json $(DESTDIR)$(PREFIX)/share/ferry/qmp-completion.json
endif

clean:
	rm -rf build

help:
	@awk '/^#/ { sub(/^# ?/, ""); print; next } { exit }' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)

endif
