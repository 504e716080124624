#!/usr/bin/env bash
# Unpacks packages of Debian or Ubuntu into .tools, without root and without installing them: libfaketime into
# .tools/faketime, and into .tools/vm a machine to be cloned as SnapStart does: qemu, a kernel with its network
# modules, a busybox. If that is impossible here, .tools/NAME/missing has the reason and no error is raised:
# the tests that need it are then counted as not played.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.tools

# apt with folders of its own, because the system's can only be written by root.
lists=/var/lib/apt/lists
apt() { # a program of apt, its arguments
    local program=$1
    shift
    "$program" -o Dir::State::Lists="$lists" -o Dir::Cache="$tools/apt/cache" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User= "$@"
}

# With the system's package lists; if they are missing or out of date, with new ones of our own.
with_lists() { # a function, its arguments
    "$@" >/dev/null 2>&1 && return
    lists=$tools/apt/lists
    mkdir -p "$lists/partial" "$tools/apt/cache/archives/partial"
    apt apt-get update --quiet >/dev/null 2>&1 && "$@" >/dev/null 2>&1
}

unpack() { # the packages in folder $1 into folder $2
    local package
    for package in "$1"/*.deb; do dpkg-deb --extract "$package" "$2" || return; done
}

faketime() { # folder
    (mkdir -p "$1/packages" && cd "$1/packages" && apt apt-get download libfaketime) &&
        unpack "$1/packages" "$1" && rm -r "$1/packages"
}

# The packages that the system would install for $1, those that it has left out.
wanted_for() { apt apt-get install --simulate --no-install-recommends "$1" | awk '$1 == "Inst" { print $2 }'; }

# The kernel package that the metapackage $1 stands for now, and the one of its modules if there is one.
kernel_of() {
    local kernel
    kernel=$(apt apt-cache depends "$1" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
    [[ -n $kernel ]] && echo "$kernel" && apt apt-cache depends "$kernel" | awk '/Depends: linux-modules-/ { print $2; exit }'
}

vm() { # folder
    local kernel names
    mkdir -p "$1/packages" "$1/boot" "$1/modules"
    kernel=$(kernel_of linux-image-cloud-amd64 || kernel_of linux-image-virtual) || return
    # shellcheck disable=SC2086 # several names
    (cd "$1/packages" && apt apt-get download $kernel busybox-static) || return
    unpack "$1/packages" "$1/boot" || return
    rm -r "$1/packages"
    if ! command -v qemu-system-x86_64; then
        names=$(wanted_for qemu-system-x86) && mkdir -p "$1/packages" || return
        # shellcheck disable=SC2086
        (cd "$1/packages" && apt apt-get download $names) && unpack "$1/packages" "$1/root" || return
        rm -r "$1/packages"
    fi
    cp "$1"/boot/boot/vmlinuz-* "$1/vmlinuz" || return
    cp "$1"/boot/usr/bin/busybox "$1/busybox" 2>/dev/null || cp "$1"/boot/bin/busybox "$1/busybox" || return
    modules "$1" && rm -r "${1:?}/boot" && starts "$1"
}

# Puts the modules of a network card into place, in the order in which they are loaded. One that is built into the kernel has
# no file of it.
modules() { # folder
    local name file order=()
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net; do
        file=$(find "$1/boot/" -name "$name.ko*" -print -quit)
        [[ -z $file ]] && continue
        case $file in
        *.xz) xz --decompress --stdout "$file" >"$1/modules/$name.ko" || return ;;
        *.zst) zstd --decompress --quiet --stdout "$file" >"$1/modules/$name.ko" || return ;;
        *) cp "$file" "$1/modules/" || return ;;
        esac
        order+=("$name")
    done
    echo "${order[*]}" >"$1/modules/order"
}

starts() { # folder
    local qemu=$1/root/usr/bin/qemu-system-x86_64
    [[ -e $qemu ]] || qemu="qemu-system-x86_64"
    LD_LIBRARY_PATH=$1/root/usr/lib/x86_64-linux-gnu:$1/root/lib/x86_64-linux-gnu "$qemu" --version
}

has_faketime() { compgen -G '/usr/lib*/faketime/libfaketimeMT.so.1' || compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1'; }

bring() { # name, what it is, why it cannot be had here (empty if it can)
    local name=$1 what=$2 why=$3
    [[ -f $tools/$name/installed ]] && return
    rm -rf "${tools:?}/$name"
    mkdir -p "$tools/$name"
    if [[ -z $why ]] && ! command -v apt-get >/dev/null; then
        why="it is unpacked from packages of Debian or Ubuntu"
    elif [[ -z $why ]]; then
        echo "tools: $what into .tools/$name"
        if with_lists "$name" "$tools/$name"; then
            touch "$tools/$name/installed" # last: it stands for a finished installation
            return
        fi
        why="its packages could not be unpacked here"
        rm -rf "${tools:?}/$name"
        mkdir -p "$tools/$name"
    fi
    echo "tools: no $what: $why; the tests that need it are not played"
    echo "no $what: $why" >"$tools/$name/missing"
}

has_faketime >/dev/null || bring faketime "libfaketime" ""
x86=
[[ $(uname -m) == x86_64 ]] || x86="the tests have a kernel for x86-64 only"
bring vm "virtual machine (qemu and a kernel, 50 MB)" "$x86"
