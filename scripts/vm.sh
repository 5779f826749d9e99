#!/usr/bin/env bash
# Runs a command as root in a guest with a kernel of its own, on this machine's files; see docs/guest.md.
# Usage: vm.sh [--timeout SECONDS] [--smp N] [--memory MB] [--kernel SUITE[:VERSION]] [--append "ARGUMENT..."]
#              [--module NAME|FILE.ko]... [--icount] [--tcg] [--allow-warnings] 'command'
# Returns the command's status; 125 when the guest died, took too long, or its kernel complained.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

fail() { echo "vm: $*" >&2; exit 125; }

seconds=300 smp=2 memory=2048 kernel=bookworm-backports append='' icount='' tcg='' allowed='' modules=()
while [[ ${1:-} == --* ]]; do
	case $1 in
	--timeout | --smp | --memory | --kernel | --append | --module)
		[ $# -gt 1 ] || fail "$1 wants a value"
		;;&
	--timeout) seconds=$2 && shift ;;
	--smp) smp=$2 && shift ;;
	--memory) memory=$2 && shift ;;
	--kernel) kernel=$2 && shift ;;
	--append) append=$2 && shift ;;
	--module) modules+=("$2") && shift ;;
	--icount) icount=1 ;;
	--tcg) tcg=1 ;;
	--allow-warnings) allowed=allowed ;;
	--*) fail "no option $1; see the beginning of scripts/vm.sh" ;;
	esac
	shift
done
[ $# -eq 1 ] || fail "wants one command, in quotes; see the beginning of scripts/vm.sh"
[ "$(id -u)" -eq 0 ] || fail "needs root, which serves this machine's files to the guest"
[ "$(uname -m)" = x86_64 ] || fail "knows guests of x86-64 only"
for virtiofsd in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd ''; do [ ! -x "$virtiofsd" ] || break; done
[ -n "$virtiofsd" ] || fail "no virtiofsd here; 'scripts/install-deps guest' installs it"
qemu=$(scripts/guest/qemu) || exit 125
packages=$(scripts/kernel-packages "$kernel") || exit 125
image=$(sed -n 's/^image=//p' <<<"$packages")

mkdir -p .build/guest
run=$(mktemp -d "$PWD/.build/guest/run.XXXXXX")
files='' guest='' reader=''
finish() {
	local pid
	for pid in $guest $files $reader; do kill -KILL "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	# Where Debian 12's virtiofsd locks its socket's name.
	rm -rf "$run" "/run/virtiofsd/$(tr / . <<<"${run#/}").files.pid"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

printf '%s\n' "$1" >"$run/command"
: >"$run/output"
{
	sed -n 's/^modules=\(.*\)/modules_root="\1"/p' <<<"$packages"
	printf '%s\n' "here=${here@Q}" "build=$(printf %q "$(realpath .build)")" "modules=(${modules[*]@Q})"
	export -p | grep -E '^declare -x (KMESH_[A-Z_]*|CI|LANG|PATH|TERM)='
} >"$run/settings"

setpriv --pdeathsig KILL "$virtiofsd" --socket-path="$run/files" --thread-pool-size=2 -o source=/ \
	-o sandbox=chroot -o cache=always >"$run/files.log" 2>&1 </dev/null &
files=$!
for _ in {1..250}; do
	if [ -S "$run/files" ] || ! kill -0 $files 2>/dev/null; then break; fi
	sleep 0.02
done
[ -S "$run/files" ] || { cat "$run/files.log" >&2 && fail "virtiofsd did not start, see above"; }

machine=(-accel "tcg,thread=multi,tb-size=512")
if [ -n "$icount" ]; then
	smp=1 machine=(-accel "tcg,thread=single,tb-size=512" -icount "shift=0,sleep=off")
elif [ -z "$tcg" ] && [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
	# A /dev/kvm without either serves guests that were built for it only.
	machine=(-accel kvm)
fi
# Emulated processors stand still for seconds, which is no lockup. Whatever ends this script ends the guest.
setpriv --pdeathsig KILL timeout --signal KILL "$seconds" setpriv --pdeathsig KILL \
	"$qemu" "${machine[@]}" -cpu max -smp "$smp" -m "${memory}M" \
	-nodefaults -no-user-config -display none -no-reboot -serial "file:$run/console" \
	-object "memory-backend-memfd,id=memory,size=${memory}M,share=on" -numa node,memdev=memory \
	-chardev "socket,id=files,path=$run/files" -device vhost-user-fs-pci,chardev=files,tag=host \
	-kernel "$image" -append "root=host rootfstype=virtiofs rw init=$PWD/scripts/guest/init \
kmesh_run=$run console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off nosoftlockup \
rcupdate.rcu_cpu_stall_timeout=300 $append" >"$run/qemu.log" 2>&1 </dev/null &
guest=$!
tail -f -s 0.1 -n +1 --pid=$guest "$run/output" 2>/dev/null &
reader=$!
{ wait $guest && ended=0; } 2>/dev/null || ended=$?
guest=''
wait $reader || true
reader=''
scripts/guest/verdict "$run" "$ended" "$seconds" $allowed
