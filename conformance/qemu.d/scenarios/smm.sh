# System Management Mode: firmware that moves SMBASE and works there, its variable driver, and migration in the middle of SMIs.
# That SMM really ran is read from Akvam's own trace of the processors; QEMU's emulator has none, there only the guest's results count.
# shellcheck shell=bash disable=SC2154

readonly smm_machine="-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on -global ICH9-LPC.disable_s3=1"

# relocated CPUS [BASE]: each processor's handler moved SMBASE (to BASE), and an SMI came after that.
relocated()
{
    local cpu base
    [ "$accel" = kvm ] || return 0
    for ((cpu = 0; cpu < $1; cpu++)); do
        base=$(sed -nE "s/.* vcpu $cpu smm_exit: smbase (0x[0-9a-f]+):.*/\1/p" trace.* | awk '$1 != "0x30000" && !found { found = 1; print }')
        [ -n "$base" ] || give_up "processor $cpu: SMBASE was never moved"
        same "SMBASE of processor $cpu" "${2:-$base}" "$base"
        [ -z "${2-}" ] || continue
        grep -aq "vcpu $cpu kvm_enter_smm: vcpu $cpu: entering SMM, smbase $base" trace.* || give_up "processor $cpu: no SMI at $base"
    done
    ! grep -ahE 'rsm_failed|smi_failed' trace.* || give_up "$(grep -ahm 1 -E 'rsm_failed|smi_failed' trace.*)"
}

# SeaBIOS moves SMBASE to A0000h on its first processor.
seabios_smm()
{
    export AKVAM_TRACE=$dir/trace.%p
    seabios "$1"
    relocated 1 0xa0000
}

# start_ovmf NAME 32|64 ARGUMENT…: OVMF with SMM; the variables are in the file 'vars', which stays.
start_ovmf()
{
    local name=$1 bits=${2#64} code
    shift 2
    code=$guests/firmware/OVMF/OVMF${bits}_CODE_4M.secboot.fd
    [ -e "$code" ] || leave_out "there is no ${code##*/}; Debian's package is ovmf or ovmf-ia32"
    [ -e vars ] || cp "$guests/firmware/OVMF/OVMF${bits}_VARS_4M.fd" vars
    export AKVAM_TRACE=$dir/trace.%p
    # shellcheck disable=SC2086
    start "$name" $smm_machine -net none -drive "if=pflash,unit=0,format=raw,readonly=on,file=$code" -drive "if=pflash,unit=1,format=raw,file=$dir/vars" "$@"
}

# ovmf_shell 32|64 CPUS
ovmf_shell()
{
    start_ovmf ovmf "$1" -m 256 -smp "$2"
    wait_for ovmf 280 'Shell> '
    stop ovmf
    relocated "$2"
}

# ovmf_job NAME CPUS JOB: OVMF starts our Linux.
ovmf_job()
{
    start_ovmf "$1" 64 -m 512 -smp "$2" -kernel "$guests/cloud.kernel" -initrd "$guests/cloud.initrd" -append "console=ttyS0 quiet panic=-1 $3"
    wait_end "$1" 280
}

ovmf_linux()
{
    ovmf_job linux "$1" job=check
    sane linux "$1"
    relocated "$1"
}

# Two starts with the same flash: what the first wrote, the second finds.
ovmf_variables()
{
    local before
    ovmf_job first 1 "job=variables modules=efivarfs"
    same "the variable at first" "$(reported first kept | tr '\n' ,)" ",x,"
    same "variables of ours" "$(reported first ours)" 1
    before=$(grep -ac 'entering SMM' trace.* || true)
    ovmf_job second 1 "job=variables modules=efivarfs"
    same "the variable after a restart" "$(reported second kept | tr '\n' ,)" "x,xx,"
    same "variables of ours" "$(reported second ours)" 1
    relocated 1
    echo "SMIs of the first start: ${before:-?}"
}

# start_storm NAME MACHINE ARGUMENT…: as start_load, while SMIs come through port B2h.
start_storm()
{
    local name=$1 machine=$2
    shift 2
    export AKVAM_TRACE=$dir/trace.$name
    start_linux "$name" cloud "job=storm threads=1 memory=$load_memory rounds=1000000" -machine "$machine" "$@"
}

# stormy LAST: every process had SMIs, the first LAST ones many, and none failed.
stormy()
{
    local file count hop
    [ "$accel" = kvm ] || return 0
    for ((hop = 0; hop <= $1; hop++)); do
        file=trace.q$hop
        count=$(grep -ac 'entering SMM' "$file" || true)
        # The last process is ended soon.
        [ "$count" -ge $((hop < $1 ? 100 : 1)) ] || give_up "only $count SMIs in ${file##*/}"
        echo "${file##*/}: $count SMIs"
    done
    ! grep -ahE 'rsm_failed|smi_failed' trace.* || give_up "$(grep -ahm 1 -E 'rsm_failed|smi_failed' trace.*)"
}

# storm HOW HOPS MACHINE: moved from process to process, over TCP or through a file, while SMIs come.
storm()
{
    local how=$1 hops=$2 machine=$3 hop port
    start_storm q0 "$machine"
    wait_for q0 120 '^TICK'
    for ((hop = 0; hop < hops; hop++)); do
        wait_ticks "q$hop" 3
        if [ "$how" = live ]; then
            start_storm "q$((hop + 1))" "$machine" -incoming tcp:127.0.0.1:0
            ask "q$((hop + 1))" query-migrate
            port=$(sed -n 's/.*"port": "\([0-9]*\)".*/\1/p' <<< "$answer")
            ask "q$hop" migrate "{\"uri\": \"tcp:127.0.0.1:$port\"}"
            migrated "q$hop"
        else
            ask "q$hop" migrate "{\"uri\": \"exec:cat > $dir/state\"}"
            migrated "q$hop"
        fi
        ask "q$hop" human-monitor-command '{"command-line": "info registers"}'
        echo "hop $hop: left with SMM=$(grep -o 'SMM=[01]' <<< "$answer" | cut -d = -f 2)"
        stop "q$hop"
        [ "$how" = live ] || start_storm "q$((hop + 1))" "$machine" -incoming "exec:cat $dir/state"
        wait_ticks "q$((hop + 1))" 3
        [ "$accel" != kvm ] || wait_for "q$((hop + 1))" 60 'entering SMM' "trace.q$((hop + 1))"
    done
    stop "q$hops"
    # shellcheck disable=SC2046
    right 1 0 $(seq -f q%g.serial 0 "$hops")
    stormy "$hops"
}

for machine in pc q35; do
    scenario "seabios-smm-$machine" 60 seabios_smm "$machine" -- "SeaBIOS on $machine moves SMBASE to A0000h and goes on"
done
for cpus in 1 2 4; do
    scenario "ovmf-smm-$cpus" 300 ovmf_shell 64 "$cpus" -- "OVMF with SMM and secure flash reaches its shell, $cpus processor(s)"
done
scenario ovmf32-smm 300 ovmf_shell 32 1 -- "the 32-bit OVMF with SMM"
scenario ovmf-smm-linux 300 ovmf_linux 2 -- "OVMF with SMM, then Linux, two processors"
scenario ovmf-smm-variables 590 ovmf_variables -- "Linux writes and reads firmware variables through the SMM driver; a second start finds them"
for machine in pc q35; do
    scenario "smi-storm-file-$machine" 300 storm file 4 "$machine" -- "SMIs without a pause: through a file to a new process, four times"
    scenario "smi-storm-live-$machine" 300 storm live 4 "$machine" -- "the same over TCP"
done
