# SeaBIOS and OVMF. The debug port 0x402 is where SeaBIOS writes.
# shellcheck shell=bash disable=SC2154

seabios()
{
    start bios -machine "$1" -m 64 -chardev "file,id=debug,path=$dir/debug" -device isa-debugcon,iobase=0x402,chardev=debug
    wait_for bios 60 'No bootable device' debug
    stop bios
}

# ovmf MACHINE CODE VARS ARGUMENT…: to its shell.
ovmf()
{
    local machine=$1 code=$2 vars=$3
    shift 3
    cp "$guests/firmware/OVMF/$vars" vars
    start ovmf -machine "$machine" -m 256 -net none -drive "if=pflash,unit=0,format=raw,readonly=on,file=$guests/firmware/OVMF/$code" \
        -drive "if=pflash,unit=1,format=raw,file=$dir/vars" "$@"
    wait_for ovmf 110 'Shell> '
    stop ovmf
}

scenario seabios-pc 60 seabios pc -- "SeaBIOS on pc looks through all boot devices"
scenario seabios-q35 60 seabios q35 -- "the same on q35"
scenario ovmf-pc 120 ovmf pc OVMF_CODE_4M.fd OVMF_VARS_4M.fd -- "OVMF reaches its shell on pc"
scenario ovmf-q35 120 ovmf q35 OVMF_CODE_4M.fd OVMF_VARS_4M.fd -smp 2 -- "the same on q35 with two processors"
quick seabios-q35
