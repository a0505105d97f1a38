#!/usr/bin/busybox sh
# The first process of a test's guest: brings its network card up, and then takes orders on the second serial line.
b=/usr/bin/busybox
$b mkdir -p /proc /sys /dev /bin
$b --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod "$module"; done
ip link set lo up
ip link set eth0 up
exec /guest /dev/ttyS1
