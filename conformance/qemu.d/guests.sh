# Guests from Debian packages: kernels with their modules, busybox, firmware. Nothing is installed.
# shellcheck shell=bash disable=SC2154

# Modules that scenarios load, with what they depend on.
readonly cloud_modules="virtio_pci virtio_mmio virtio_blk virtio_net efivarfs"
readonly standard_modules="$cloud_modules ahci sd_mod"

make_guests()
{
    mkdir -p "$guests"
    exec 8> "$guests/lock"
    flock 8
    make_kernel cloud "$cloud_modules"
    case " ${selected[*]}" in
        *ahci* | *kvmtool-2*) make_kernel standard "$standard_modules" ;;
    esac
    case " ${selected[*]}" in
        *ovmf*) make_firmware ;;
    esac
    exec 8>&-
}

# newer_than FILE SOURCE…: whether a result is there and newer than what it is made from
newer_than()
{
    local result=$1 source
    shift
    [ -e "$result" ] || return 1
    for source; do
        [ "$result" -nt "$source" ] || return 1
    done
}

# make_kernel FLAVOUR MODULES: FLAVOUR.kernel and FLAVOUR.initrd
make_kernel()
{
    local flavour=$1 tree=$guests/$1 image meta
    newer_than "$guests/$flavour.initrd" "$parts"/guest/* "$parts/guests.sh" && return
    case $flavour in
        cloud) meta=linux-image-cloud-amd64 ;;
        standard) meta=linux-image-amd64 ;;
    esac
    if [ ! -e "$tree/done" ]; then
        update_lists
        image=$(apt-cache depends --no-recommends --no-suggests "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
        unpack "$tree" "${image:?apt knows no kernel package $meta}"
        touch "$tree/done"
    fi
    [ -e "$guests/busybox/done" ] || {
        unpack "$guests/busybox" busybox-static
        touch "$guests/busybox/done"
    }
    cp "$tree"/boot/vmlinuz-* "$guests/$flavour.kernel"
    make_initrd "$flavour" "$2"
}

make_firmware()
{
    if [ -e /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ] && [ -e /usr/share/OVMF/OVMF32_CODE_4M.secboot.fd ]; then
        ln -sfn /usr/share "$guests/firmware"
    elif [ ! -e "$guests/ovmf/done" ]; then
        unpack "$guests/ovmf" ovmf
        unpack "$guests/ovmf" ovmf-ia32
        touch "$guests/ovmf/done"
        ln -sfn "$guests/ovmf/usr/share" "$guests/firmware"
    fi
}

# Package lists of the system, read once if there are none.
update_lists()
{
    apt-cache show busybox-static > /dev/null 2>&1 && return
    { [ "$(id -u)" -eq 0 ] && apt-get -qq update; } || sudo -n apt-get -qq update || cannot_run "there are no package lists here, and they cannot be read."
}

# unpack FOLDER PACKAGE
unpack()
{
    update_lists
    mkdir -p "$1" "$guests/packages"
    (cd "$guests/packages" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$2") || cannot_run "the package $2 cannot be had."
    dpkg-deb -x "$guests/packages/$2"_*.deb "$1"
    rm -f "$guests/packages/$2"_*.deb
}

# make_initrd FLAVOUR MODULES: our init and programs, busybox, and modules with what they need. Not compressed: unpacking costs the guest more.
make_initrd()
{
    local root=$guests/$1.root busybox version module
    rm -rf "$root"
    mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc}
    busybox=$(find "$guests/busybox" -name busybox -type f -path '*bin/*' | head -n 1)
    cp "$busybox" "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    cp "$parts/guest/init" "$root/init"
    chmod 755 "$root/init"
    build_program load
    build_program storm
    build_program mutable
    build_program disk
    cp "$guests/load" "$guests/storm" "$guests/mutable" "$guests/disk" "$root/bin"

    version=$(basename "$guests/$1"/lib/modules/*)
    mkdir -p "$root/lib/modules/$version"
    for module in $2; do
        add_module "$guests/$1" "$root" "$version" "$module"
    done
    "$busybox" depmod -b "$root" "$version"
    (cd "$root" && find . | "$busybox" cpio -o -H newc 2> /dev/null) > "$guests/$1.initrd.new"
    mv "$guests/$1.initrd.new" "$guests/$1.initrd"
    rm -rf "$root"
}

# add_module TREE ROOT VERSION NAME
add_module()
{
    local file name=$4
    file=$(cd "$1" && find "lib/modules/$3" -name "${name//_/-}.ko*" -o -name "${name//-/_}.ko*" | head -n 1)
    # Built in.
    [ -n "$file" ] || return 0
    local copy=$2/${file%.xz}
    [ ! -e "$copy" ] || return 0
    mkdir -p "${copy%/*}"
    case $file in
        *.xz) xz -dc "$1/$file" > "$copy" ;;
        *) cp "$1/$file" "$copy" ;;
    esac
    local needed
    for needed in $(tr '\0' '\n' < "$copy" | sed -n 's/^depends=//p' | head -n 1 | tr , ' '); do
        add_module "$1" "$2" "$3" "$needed"
    done
}

# build_program NAME: a program of ours for guests
build_program()
{
    newer_than "$guests/$1" "$parts/guest/$1.c" || cc -std=gnu11 -O2 -Wall -Werror -static -pthread -ffp-contract=off -o "$guests/$1" "$parts/guest/$1.c"
}
