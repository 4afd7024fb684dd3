# shellcheck shell=bash
# How a kernel of ours is configured and built. Sourced after lib.sh, never run.

# The profile's options, and those of OPTIONS, a line each.
fragments() {
	cat "$TOP/.config.fragment" "$TOP/scripts/$PROFILE.config"
	[ -z "${OPTIONS:-}" ] || printf '%s\n' "$OPTIONS"
}

kbuild() {
	local src=$1 out=$2
	shift 2
	in_root make -C "$src" O="$out" ARCH="$ARCH" LLVM="${LLVM:-1}" KBUILD_BUILD_USER=hmm_migrate KBUILD_BUILD_HOST=build \
		KBUILD_BUILD_TIMESTAMP=2026-01-01 "$@"
}

configure() {
	local src=$1 out=$2
	mkdir -p "$out"
	[ ! -e "$out/.config" ] || [ ! "$out/.config" -ot "$out/fragment" ] || rm "$out/.config"
	if ! fragments | cmp -s - "$out/fragment" || [ ! -e "$out/.config" ] ||
		[ "$src/mm/Kconfig" -nt "$out/.config" ] || [ "$src/lib/Kconfig.debug" -nt "$out/.config" ]; then
		say "configuring the $KERNEL kernel"
		fragments > "$out/fragment"
		kbuild "$src" "$out" tinyconfig > "$out/config.log" 2>&1 || die "tinyconfig failed: $out/config.log"
		in_root "$src/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" "$out/fragment" >> "$out/config.log" 2>&1
		kbuild "$src" "$out" olddefconfig >> "$out/config.log" 2>&1 || die "olddefconfig failed: $out/config.log"
	fi
}

# Has an option taken?
has_taken() {
	local out=$1 option=$2
	case $option in
	*=n) ! grep -q "^${option%n}" "$out/.config" ;;
	*) grep -qxF "$option" "$out/.config" ;;
	esac
}

# Have all options taken?
check_options() {
	local out=$1 option missing=''
	while IFS= read -r option; do
		has_taken "$out" "$option" || missing="$missing $option"
	done < <(grep '^CONFIG' "$out/fragment" | tac | awk -F= '!seen[$1]++')
	[ -z "$missing" ] || die "these options did not take:$missing"
}

# The test programs of a kernel, static, and the list of those that are tests.
programs() {
	local src=$1 out=$2 from=$3 sysroot=''
	[ -e "$from/Makefile" ] || die "$from/Makefile is missing"
	[ "$ARCH" != arm64 ] || sysroot=$(arm64_root)
	with_progress "selftests-$KERNEL" 20 in_root make -C "$from" -j"$JOBS" \
		OUT="$out/selftests" KSRC="$src" KHDR="$out/usr/include" CC="$(compiler)" FIXES="$FIXES" \
		${sysroot:+SYSROOT="$sysroot" MACHINE=aarch64} \
		"$(option FAULT_INJECTION)" "$(option TRANSPARENT_HUGEPAGE)" "$(option VMAP_STACK)" \
		"$(option MEMCG)" "$(option KSM)" "$(option SWAP)" "$(option DEVICE_PRIVATE)"
}

# An option of the kernel as an argument for make.
option() { grep "^CONFIG_$1=" "$out/.config" || echo "CONFIG_$1="; }

# The C compiler, as kbuild understands LLVM=.
compiler() {
	case ${LLVM:-1} in
	*/) echo "${LLVM}clang" ;;
	-*) echo "clang$LLVM" ;;
	*) echo clang ;;
	esac
}
