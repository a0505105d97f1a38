#!/usr/bin/busybox sh
# The first and only process of the machine: loads the modules, runs the test programs, and switches off.
# Speaks to `cargo xtask vm` on the second serial line, in lines that begin with @@; the first has the kernel's words.
b=/usr/bin/busybox
fs() { $b mkdir -p "$3"; $b mount -t "$1" "$2" "$3"; }
fs proc proc /proc
fs sysfs sysfs /sys
fs devtmpfs devtmpfs /dev
fs bpf bpf /sys/fs/bpf
fs tmpfs tmpfs /run
$b mkdir /run/netns
exec > /dev/ttyS1 2>&1
for module in /modules/*; do $b insmod "$module" || echo "@@ broken cannot load $module"; done
# Memory of maps counts against this limit before 5.11; 500 taps are open at once.
ulimit -l unlimited
ulimit -n 65536
# Emulation: longer patience, and fewer made-up frames and sequences. Twice as many tests as processors: most of the time they wait.
export IPV6_SG_SLOWNESS=3 IPV6_SG_FUZZ_FRAMES=20000 IPV6_SG_FUZZ_SEQUENCES=40 RUST_TEST_THREADS=4
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
$b ip link set lo up
while read -r limit program arguments; do
    echo "@@ start $program"
    # Not quoted: several words.
    $b timeout -s KILL "$limit" "$program" $arguments < /dev/null
    echo "@@ end $?"
done < /programs
$b poweroff -f
