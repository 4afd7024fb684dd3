# shellcheck shell=bash
# Shared by the scripts beside it: where things are kept, how progress is shown, how tools are run.
# Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${HMM_MIGRATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hmm-migrate}
PROFILE=${PROFILE:-release}
JOBS=${JOBS:-$(($(nproc) + 1))}
FIXES=${FIXES:-}
[ "$FIXES" != 0 ] || FIXES=
LINUX=${LINUX:-}
# What the caller gave to its own make is not meant for the makes that are started here.
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck source=scripts/versions
. "$TOP/scripts/versions"
[ "$LINUX" != "$LINUX_SERIES" ] || LINUX=
# What is built, by the name that its logs have.
# shellcheck disable=SC2034 # by those who source this
KERNEL=$PROFILE${LINUX:+-$LINUX}

mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
[ -z "${KDIR:-}" ] || KDIR=$(cd "$KDIR" && pwd)
cd "$TOP"

if [ -t 2 ]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m' line_start=$'\r\e[K' line_end=
else
	bold='' red='' plain='' line_start='' line_end=$'\n'
fi

say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }
die() {
	printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
	exit 1
}

[ -e "scripts/$PROFILE.config" ] ||
	die "there is no profile '$PROFILE': release, debug, kcsan, rt, small, nodes or arm64"

# What a profile's machine is, by the kernel's name for it, the image that it boots, and whether checks make it slow.
ARCH=x86_64 IMAGE=arch/x86/boot/bzImage SLOW=
# shellcheck disable=SC2034 # by those who source this
case $PROFILE in
release | small | nodes) ;;
arm64) ARCH=arm64 IMAGE=arch/arm64/boot/Image ;;
*) SLOW=1 ;;
esac

if [ -n "$LINUX" ]; then
	[ -n "${OTHER_LINUX[$LINUX]:-}" ] || die "there is no LINUX=$LINUX here: $LINUX_SERIES or ${!OTHER_LINUX[*]}"
	[ -z "${KDIR:-}" ] || die "LINUX= and KDIR= both say which kernel it is"
	[ -z "$FIXES" ] || die "FIXES=1 is for $LINUX_SERIES: patches/fixes/ repair that kernel, and not $LINUX"
fi

[ -z "${LLVM:-}" ] || [ -n "${KDIR:-}" ] || die "tools of your own (LLVM=) need a kernel tree of your own (KDIR=)"

# The first 12 digits of a hash over the given words and the contents on standard input.
key_of() { { printf '%s\n' "$@"; cat; } | sha256sum | cut -c1-12; }

# with_progress NAME LINES COMMAND...: runs COMMAND with its output in a log, and shows how far it is, taking
# LINES lines of output as the whole (the count of the last complete run, where there was one).
with_progress() {
	local name=$1 whole=$2 log=$CACHE/log/$1.log count=$CACHE/log/$1.lines status=0 ticker awk=awk
	shift 2
	# mawk otherwise waits for a full buffer, minutes long where little is written.
	! awk -W version 2>&1 | grep -q ^mawk || awk='mawk -W interactive'
	mkdir -p "$CACHE/log"
	: > "$log"
	[ ! -s "$count" ] || whole=$(cat "$count")
	{
		# What is silent for long is alive all the same.
		while sleep 15 > /dev/null 2>&1; do echo "with_progress: tick"; done &
		ticker=$!
		"$@" 2>&1 || echo "with_progress: failed $?"
		kill $ticker
	} < /dev/null |
		$awk -v whole="$whole" -v name="$name" -v log_file="$log" -v tty="${line_start:+1}" \
			-v start="$line_start" -v end="$line_end" '
		BEGIN { begin = last = srand(); srand(); begin = srand() }
		/^with_progress: failed / { failed = $3; next }
		!/^with_progress: tick$/ {
			print > log_file
			fflush(log_file)
			lines++
			line = $0
		}
		{
			srand(); now = srand()
			if (now - last < (tty ? 1 : 14))
				next
			last = now
			part = lines < whole ? lines / whole * 100 : 99
			printf "%s    %s: %2d %%, %d s, %s%s", start, name, part, now - begin, substr(line, 1, 60), end > "/dev/stderr"
			fflush("/dev/stderr")
		}
		END {
			srand()
			printf "%s    %s: %s after %d s\n", start, name, failed ? "failed" : "done", srand() - begin > "/dev/stderr"
			exit failed ? 1 : 0
		}' || status=1
	if [ $status -ne 0 ]; then
		grep -nE '(error|Error|fatal)[: \[]|^E:' "$log" | head -n 20 >&2 || true
		tail -n 15 "$log" >&2
		die "$name failed; all of its output is in $log"
	fi
	# Only a run from nothing tells how long the whole is.
	[ "$(wc -l < "$log")" -lt "$whole" ] || wc -l < "$log" > "$count"
}

# locked NAME COMMAND...: runs COMMAND while no other run, of this checkout or another, is in the same section.
locked() {
	local name=$1 fd
	shift
	exec {fd}> "$CACHE/$name.lock"
	if ! flock -n "$fd"; then
		say "waiting for another run that holds $CACHE/$name.lock"
		flock "$fd"
	fi
	# No program that is started there, and may live longer, gets the lock.
	"$@" {fd}>&-
	exec {fd}>&-
}

# need PROGRAM PACKAGE: installs what is missing when the caller is root, and says how to otherwise.
need() {
	! command -v "$1" > /dev/null || return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
		say "installing $2 on this machine, for the program $1"
		mkdir -p "$CACHE/log"
		{ apt-get -q update && apt-get -q -y install "$2"; } > "$CACHE/log/apt.log" 2>&1 ||
			die "apt-get install $2 failed; its output is in $CACHE/log/apt.log"
	else
		die "the program '$1' is missing; install it with: sudo apt-get install $2"
	fi
}

# The mirror that this machine uses, where it is Debian; nothing otherwise: mmdebstrap has one of its own.
debian_mirror() {
	command -v apt-get > /dev/null || return 0
	# shellcheck disable=SC2016 # these are apt's own variables
	apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Label: Debian' | head -n 1
}

# The names of every package in the toolchain root; their versions are the suite's.
root_packages() {
	cat <<-LIST
		bc bison busybox-static ca-certificates cargo clang-$LLVM_MAJOR cpio file flex git kmod less
		libc6-dev libcap-dev libclang-$LLVM_MAJOR-dev libdw-dev libelf-dev libnuma-dev libssl-dev lld-$LLVM_MAJOR
		llvm-$LLVM_MAJOR make pahole patch perl procps python3 qemu-system-x86 rsync rust-clippy
		rust-src rustc rustfmt xz-utils zlib1g-dev
	LIST
}

root_dir() {
	echo "$CACHE/root-$(key_of "$DEBIAN_SUITE" "$LINUX_SOURCE_VERSION" "$LLVM_MAJOR" "$BINDGEN_VERSION" \
		"$(root_packages)" < "$TOP/scripts/root-hooks")"
}

# Where the kernel's source package is unpacked: that of another kernel than the usual one has its own folder.
source_root() {
	if [ -z "$LINUX" ]; then
		root_dir
	else
		echo "$CACHE/source-$LINUX-$(key_of "$DEBIAN_SUITE" "${OTHER_LINUX[$LINUX]}" < /dev/null)"
	fi
}

# A root file system beside the toolchain's, with what an arm64 machine needs: the emulator, busybox, the C library.
arm64_packages() { echo qemu-system-arm busybox-static:arm64 libc6-dev:arm64 libgcc-14-dev:arm64; }

arm64_root() { echo "$CACHE/root-arm64-$(arm64_packages | key_of "$DEBIAN_SUITE")"; }

# in_root COMMAND...: runs COMMAND with the toolchain's programs, on the same paths as outside. With LLVM= set
# the caller brings the tools, and nothing is wrapped. ROOT= is another root file system than the toolchain's.
in_root() {
	if [ -n "${LLVM:-}" ]; then
		"$@"
		return
	fi
	local root=${ROOT:-$(root_dir)} part binds=()
	for part in bin sbin lib lib64; do
		binds+=(--symlink "usr/$part" "/$part")
	done
	[ -z "${KDIR:-}" ] || binds+=(--bind "$KDIR" "$KDIR")
	bwrap --ro-bind "$root/usr" /usr --ro-bind "$root/etc" /etc "${binds[@]}" \
		--dev /dev --dev-bind-try /dev/kvm /dev/kvm --proc /proc --tmpfs /tmp \
		--bind "$CACHE" "$CACHE" --bind "$TOP" "$TOP" --chdir "$PWD" \
		--unshare-pid --die-with-parent \
		env PATH="/usr/lib/llvm-$LLVM_MAJOR/bin:/usr/local/bin:/usr/sbin:/usr/bin" \
		HOME=/tmp HMM_MIGRATE_CACHE="$CACHE" RUST_LIB_SRC="$(echo "$root"/usr/src/rustc-*/library | sed "s:^$root::")" \
		"$@"
}

# The same where the emulator is.
in_emulator_root() {
	case $ARCH in
	arm64) LLVM='' ROOT=$(arm64_root) in_root "$@" ;;
	*) in_root "$@" ;;
	esac
}
