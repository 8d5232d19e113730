# The first process of a systemd of one's own, before it becomes systemd.
#
# To be run in new namespaces.  $1 is an empty folder, $2 that of the interpreter, $3 the
# interpreter in there, $4 the project, $5 a control group; the other words are folders of packages.
set -e
stage=$1 prefix=$2 python=$3 project=$4 group=$5
shift 5
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys

# What is lent may be in a folder that is covered below: so this comes first.
mount -t tmpfs -o mode=755 tmpfs "$stage"
cd "$stage"
lend() {
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}
lend "$prefix" python
lend "$project/socketsuite" project/socketsuite
lend "$project/twisted" project/twisted
mkdir -p socketsuite/bin socketsuite/lib
cat > socketsuite/bin/twistd <<END
#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib
exec "/opt/python/$python" -IS /opt/socketsuite/lib/twistd "\$@"
END
chmod 755 socketsuite/bin/twistd
{
    echo "import sys"
    echo "sys.path.insert(0, '/opt/project')"
    for folder; do
        lend "$folder" packages/$#
        echo "sys.path.append('/opt/packages/$#')"
        shift
    done
    echo "from twisted.scripts.twistd import run"
    echo "sys.exit(run())"
} > socketsuite/lib/twistd

mkdir -p etc/default etc/systemd/system/sysinit.target.wants
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache etc
echo 0123456789abcdef0123456789abcdef > etc/machine-id
cp "$project"/etc/*.toml etc
cp "$project"/etc/*.service "$project"/etc/*.socket etc/systemd/system
for unit in basic.target network-online.target shutdown.target sockets.target sysinit.target \
    systemd-journald-dev-log.socket systemd-journald.service systemd-journald.socket
do
    cp /lib/systemd/system/$unit etc/systemd/system
done
ln -s ../systemd-journald.service etc/systemd/system/sysinit.target.wants

cd /
mount --move "$stage" /opt
for folder in /etc /run /var /tmp /home /root /dev; do
    mount -t tmpfs -o mode=755 tmpfs $folder
done
cp -a /opt/etc/. /etc
rm -r /opt/etc
mkdir -p /run/none /var/lib /var/cache /var/log /var/tmp /dev/pts /dev/shm
chmod 1777 /tmp /var/tmp
ln -s ../run /var/run
ln -s pts/ptmx /dev/ptmx
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/random c 1 8
mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/tty c 5 0
mount -o remount,bind,ro /
ip link set lo up

echo $$ > "$group/cgroup.procs"
exec unshare --cgroup sh -ec '
mount -o remount,bind,ro /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# As on any machine; credentials of services come in by that way.
mount --make-rshared /
exec /lib/systemd/systemd --system --unit=basic.target --log-target=journal-or-kmsg
'
