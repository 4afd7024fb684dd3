# SPDX-License-Identifier: GPL-2.0
#
# What a person types. kbuild reads Kbuild instead.

.PHONY: help run test stress programs bench bench-insn bench-compare profile shell module quick hmm-tests mutants kernel lint configs series series-check doc clean distclean

help:
	@echo 'hmm_migrate: hmm_vma_migrate() for Linux, in Rust'
	@echo
	@echo '  make run                 build all, boot a virtual machine, run the demonstration'
	@echo '  make test                the same set-up, then every test (10 minutes once all is built)'
	@echo '  make stress              memory in use by many processes while it is moved; DURATION=600 seconds, S="-s SEED"'
	@echo '  make programs            programs of Debian while their memory is moved: same results? (P="-s SEED sqlite redis" some)'
	@echo '  make bench               mainline and this module in turns: a table, bench.json, bench.svg (15 minutes)'
	@echo '  make bench-insn          the same cases in instructions, which repeat: bench-insn.json, bench-insn.svg'
	@echo '  make bench-compare OLD=FILE  what is slower in bench.json (or NEW=FILE) than in a saved one'
	@echo '  make profile C=CASE      the functions that the instructions of a case are spent in, by both engines (BYTES=16K: in small calls)'
	@echo
	@echo 'while working on it:'
	@echo '  make module              build the module, the test drivers and the test programs'
	@echo '  make quick T=NAME        the same, then boot and run one test program (without T: the KUnit tests)'
	@echo '  make quick T=NAME:TEST   one test of it, as hmm-tests:migrate or hmm-tests:hmm.hmm_device_private.migrate'
	@echo '  make hmm-tests           boot and run the tests of mainline; ROUNDS=10 ten times, ENGINE=mainline on its engine'
	@echo '  make mutants             take one guard after the other out of the module: does its test fail? (M="NAME..." some)'
	@echo '  make shell               a shell in the machine; CMD="..." runs one command there instead'
	@echo '  make kernel              build all, boot nothing'
	@echo '  make lint                rustfmt, clippy, checkpatch; do the mutants still apply?'
	@echo '  make series              the patches that maintainers get, with a cover letter, in build/series'
	@echo '  make series-check        each of them in its turn: git am, checkpatch, a whole build (an hour)'
	@echo '  make configs             compile with other options of the kernel: no swap, no NUMA, one processor, built in, ... (C="NAME..." some)'
	@echo '  make doc                 the manual and the Rust code as pages, in build/doc; a warning is an error'
	@echo '  make clean               remove the builds of this PROFILE'
	@echo '  make distclean           remove all that is kept in the cache folder'
	@echo
	@echo 'variables:'
	@echo '  PROFILE=release|debug    debug: KASAN, lockdep, page-table checks and more; slow (default release)'
	@echo '         |kcsan|rt         kcsan: races between processors; rt: PREEMPT_RT, without huge pages'
	@echo '         |small            small: without memory cgroups, NUMA, KSM and swap, with symbol versions'
	@echo '         |nodes            nodes: without memory of devices; what moves from node to node alone'
	@echo '         |arm64            arm64: release on that architecture, cross-built, in an emulator of it'
	@echo '  HMM_MIGRATE_CACHE=DIR    where the tools, the kernel and the builds are kept (default ~/.cache/hmm-migrate)'
	@echo '  JOBS=N                   compile N files at a time (default: processors + 1)'
	@echo '  FIXES=1                  repair the rest of the kernel with patches/fixes/, and test that, too'
	@echo '  LINUX=7.2                that kernel of Debian instead of 7.3, with patches/7.2/ to bring the module there'
	@echo '  KDIR=DIR                 a patched kernel tree of your own'
	@echo '  LLVM=1|-22|DIR/          tools of your own, as kbuild takes it'
	@echo '  CPUS=2|4|8               processors of the machine (default 2)'
	@echo '  ACCEL=kvm                run the machine on hardware virtualisation (default: emulation)'
	@echo '  BENCH="-c CASE -m 16M"   options of selftests/bench.c: a case, a largest size, and more'

run:
	@scripts/vm run

test:
	@scripts/vm test

stress:
	@scripts/vm stress $(or $(DURATION),600) $(S)

programs:
	@scripts/vm programs $(P)

bench:
	@scripts/bench $(BENCH)

bench-insn:
	@scripts/bench insn $(BENCH)

bench-compare:
	@scripts/bench compare '$(OLD)' $(NEW)

profile:
	@scripts/profile '$(C)' $(P)

shell:
	@QUICK=1 scripts/vm shell $(if $(value CMD),'$(subst ','\'',$(value CMD))')

module:
	@scripts/kernel module

quick:
	@QUICK=1 scripts/vm test '$(or $(T),kunit)'

hmm-tests:
	@QUICK=1 scripts/vm test hmm-tests

mutants:
	@scripts/mutants $(M)

kernel:
	@scripts/kernel build

lint:
	@scripts/lint

configs:
	@scripts/configs $(C)

series:
	@scripts/series make

series-check:
	@scripts/series check

doc:
	@scripts/doc

clean:
	@scripts/kernel clean

distclean:
	@scripts/kernel distclean
