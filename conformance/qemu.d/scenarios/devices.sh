# Disks and network cards inside Linux: what the guest reads and writes is compared with what the host has.
# shellcheck shell=bash disable=SC2154

hash_of()
{
    sha256sum "$@" | cut -d ' ' -f 1
}

# disk FLAVOUR MODULES NAME MACHINE CPUS DEVICE…: the guest reads 16 MiB of random bytes and copies the first half to the second.
disk()
{
    local flavour=$1 modules=$2 name=$3 machine=$4 cpus=$5
    shift 5
    head -c 16M /dev/urandom > disk
    local before first
    before=$(hash_of disk)
    first=$(head -c 8M disk | hash_of)
    start_linux linux "$flavour" "job=disk modules=$modules disk=$name" -machine "$machine" -smp "$cpus" \
        -drive if=none,id=disk,format=raw,file=disk "$@"
    wait_end linux 170
    wait_for_done
    same "what the guest read" "$(reported linux read)" "$before"
    same "the copy as the guest sees it" "$(reported linux copied)" "$first"
    same "the first half" "$(head -c 8M disk | hash_of)" "$first"
    same "the second half" "$(tail -c 8M disk | hash_of)" "$first"
}

wait_for_done()
{
    grep -aq '^GUEST DONE' linux.serial || give_up "the guest did not get to its end: $(tail -n 1 linux.serial)"
}

# net MACHINE CPUS MODULES DEVICE
net()
{
    mkdir tftp
    head -c 300000 /dev/urandom > tftp/file
    head -c 3000000 /dev/urandom > tcp
    # What the guest sends is answered with its sum.
    printf '#!/bin/sh\nsha256sum | cut -d " " -f 1\n' > answer
    chmod 755 answer
    local server=10.0.2.100
    start_linux linux cloud "job=net modules=$3" -machine "$1" -smp "$2" -device "$4,netdev=net" \
        -netdev "user,id=net,restrict=on,tftp=$dir/tftp,bootfile=file,guestfwd=tcp:$server:7000-cmd:cat $dir/tcp,guestfwd=tcp:$server:7001-cmd:$dir/answer"
    wait_end linux 110
    wait_for_done
    same "the file by TFTP" "$(reported linux tftp)" "$(hash_of tftp/file)"
    same "the file by TCP" "$(reported linux tcp)" "$(hash_of tcp)"
    same "the file sent" "$(reported linux sent)" "$(hash_of tcp)"
}

scenario virtio-blk-pc 180 disk cloud virtio_pci,virtio_blk vda pc 1 -device virtio-blk-pci,drive=disk -- "virtio-blk: read and written with checksums"
scenario virtio-blk-q35 180 disk cloud virtio_pci,virtio_blk vda q35 2 -device virtio-blk-pci,drive=disk -- "the same with two processors"
scenario virtio-blk-microvm 180 disk cloud virtio_mmio,virtio_blk vda microvm 1 -device virtio-blk-device,drive=disk -- "virtio-blk without PCI"
scenario ahci-q35 240 disk standard ahci,sd_mod sda q35 1 -device ide-hd,drive=disk -- "a SATA disk: DMA into guest memory, level interrupts"
scenario ahci-q35-2 240 disk standard ahci,sd_mod sda q35 2 -device ide-hd,drive=disk -- "the same with two processors"
scenario virtio-net-pc 120 net pc 1 virtio_pci,virtio_net virtio-net-pci -- "virtio-net: TFTP, and TCP in both directions"
scenario virtio-net-q35 120 net q35 2 virtio_pci,virtio_net virtio-net-pci -- "the same with two processors"
scenario virtio-net-microvm 120 net microvm 1 virtio_mmio,virtio_net virtio-net-device -- "virtio-net without PCI"
