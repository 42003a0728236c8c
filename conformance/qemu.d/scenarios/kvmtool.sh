# kvmtool, which is no QEMU but a client as good: its lkvm is in PATH, or named in LKVM. It looks for VMX or SVM by itself, and ends when the guest reboots.
# shellcheck shell=bash disable=SC2154

# kvmtool FLAVOUR CPUS
kvmtool()
{
    kvm_only
    local lkvm=${LKVM:-lkvm}
    lkvm=$(type -P -- "$lkvm") || leave_out "there is no kvmtool; LKVM=FILE names its lkvm"
    # It keeps a socket for each guest there.
    HOME=$dir "$here/../akvam" exec -- "$lkvm" run -k "$guests/$1.kernel" -i "$guests/$1.initrd" -m 256 -c "$2" --console serial --network mode=none \
        -p "console=ttyS0 quiet panic=-1 job=check end=reboot" > linux.serial 2> linux.log < /dev/null &
    pid_of[linux]=$!
    wait_end linux 110
    sane linux "$2"
}

scenario kvmtool-1 120 kvmtool cloud 1 -- "kvmtool boots Linux; needs its lkvm in PATH, or LKVM=FILE"
scenario kvmtool-2 120 kvmtool standard 2 -- "the same with two processors"
