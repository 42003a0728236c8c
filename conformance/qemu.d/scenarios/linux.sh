# Debian's Linux boots, computes, sleeps, uses every processor, and switches off.
# shellcheck shell=bash disable=SC2154,SC2034

# start_linux NAME FLAVOUR JOB-WORDS ARGUMENT…: a QEMU with a guest of ours
start_linux()
{
    local name=$1 flavour=$2 words=$3
    shift 3
    start "$name" -m 256 -kernel "$guests/$flavour.kernel" -initrd "$guests/$flavour.initrd" \
        -append "console=ttyS0 quiet panic=-1 $words" "$@"
}

# reported NAME KEY: what the guest said
reported()
{
    sed -n "s/^GUEST $2=//p" "$1.serial" | tr -d '\r'
}

# sane NAME CPUS: the guest's checks, against the host's
sane()
{
    local cpu
    wait_for "$1" 5 '^GUEST DONE'
    ! grep -aE 'Kernel panic|Call Trace|BUG:|soft lockup|Oops' "$1.serial" || give_up "the guest's kernel complains"
    # Firmware may leave something in that line.
    grep -aq "GUEST UP .* cpus=$2" "$1.serial" || give_up "not $2 processors"
    same sha256 "$(reported "$1" sha256)" "$(head -c 1048576 /dev/zero | sha256sum | cut -d ' ' -f 1)"
    same float "$(reported "$1" float)" "$(awk 'BEGIN { for (i = 1; i <= 2000; i++) s += 1 / (i * i) + i / 7e6; printf "%.15f", s }')"
    same sleep "$(reported "$1" slept)" ok
    for ((cpu = 0; cpu < $2; cpu++)); do
        same "task on processor $cpu" "$(reported "$1" "task$cpu")" "$cpu"
    done
}

# linux MACHINE CPUS [ARGUMENT…]
linux()
{
    local machine=$1 cpus=$2
    shift 2
    start_linux linux cloud job=check -machine "$machine" -smp "$cpus" "$@"
    wait_end linux 110
    sane linux "$cpus"
}

# irqchip MODE MACHINE CPUS
irqchip()
{
    kvm_only
    # Seen on Linux's KVM as well: nothing clears the second vCPU's request for a SIPI (interrupt_request 800h) with QEMU's own APIC.
    # As soon as that vCPU halts, its thread goes round in QEMU with the big lock held, without KVM_RUN.
    if [ "$1" = off ] && [ "$3" -gt 1 ] && [[ $("$qemu" --version) == *'version 7.2.22 '* ]]; then
        leave_out "QEMU 7.2.22 hangs in its own code, on Linux's KVM too"
    fi
    kvm_options=,kernel-irqchip=$1
    linux "$2" "$3"
}

for machine in pc q35 microvm; do
    for cpus in 1 2; do
        scenario "linux-$machine-$cpus" 120 linux "$machine" "$cpus" -- "Linux on $machine, $cpus processor(s)"
    done
done
scenario linux-cpu-host 120 linux q35 2 -cpu host -- "with every feature that Akvam's processor has"
for mode in on split off; do
    scenario "irqchip-$mode-1" 120 irqchip "$mode" pc 1 -- "interrupt controllers in the kernel: $mode"
    scenario "irqchip-$mode-2" 120 irqchip "$mode" q35 2 -- "the same with two processors"
done
quick linux-microvm-1
