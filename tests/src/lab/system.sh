# Makes a host of this one's files and starts systemd in it. In a mount namespace of its own; $1 is an empty directory, $2 a
# folder that the host sees at /mnt, $3 what is done in the host before it starts.
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"

# Nothing of what this host has switched on, none of its disks, and not what keeps services from starting in images.
rm -rf etc/systemd/system usr/sbin/policy-rc.d
mkdir etc/systemd/system
: > etc/fstab
: > etc/machine-id
echo hypervisor > etc/hostname

mount -t proc proc proc
# These belong to all of the kernel, not to a namespace.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
# As systemd does where it is not in a container.
mount -t bpf -o nosuid,nodev,noexec,mode=0700 bpf sys/fs/bpf
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
for device in null zero full random urandom tty; do
    : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --bind "$2" mnt

mkdir run/old
pivot_root . run/old
umount -l /run/old
rmdir /run/old
mount -t tmpfs -o mode=1777 tmpfs /tmp
# As on a host: what services see of later mounts, and it of theirs, is their units' to say.
mount --make-rshared /
hostname hypervisor
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
sh -euc "$3"
# It leaves to the real host what is the real host's: devices, time, kernel.
exec env -i container=lab PATH="$PATH" /lib/systemd/systemd --system --log-target=console systemd.unit=multi-user.target
