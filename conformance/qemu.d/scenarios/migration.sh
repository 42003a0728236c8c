# Snapshots and migration of a guest at work. Its work (guest/load.c) writes lines that are known beforehand: each must come once and in order.
# shellcheck shell=bash disable=SC2154

readonly load_memory=16

# start_load NAME MACHINE CPUS ARGUMENT…: all processes of one run have the same machine; further arguments may differ. The global job says what the guest does.
job=load
start_load()
{
    local name=$1 machine=$2 cpus=$3
    shift 3
    start_linux "$name" cloud "job=$job threads=$cpus memory=$load_memory rounds=1000000" -machine "$machine" -smp "$cpus" "$@"
}

# ticks NAME: how many rounds the guest has said
ticks()
{
    grep -ac '^TICK ' "$1.serial" || true
}

# wait_ticks NAME MORE: until that many rounds more are done
wait_ticks()
{
    local wanted=$(($(ticks "$1") + $2)) tenths=$((600 * patience))
    until [ "$(ticks "$1")" -ge "$wanted" ]; do
        alive "$1" || give_up "$1 ended: $(tail -n 1 "$1.log")"
        [ "$tenths" -gt 0 ] || give_up "$1 stands still after: $(tail -n 1 "$1.serial" | tr -d '\r')"
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# right CPUS CUTS FILE…: consoles in their order. Each thread's rounds must all be there and right; CUTS lines may be spoilt, where a console was cut.
right()
{
    local cpus=$1 cuts=$2 rounds unknown
    shift 2
    ! cat "$@" | grep -a -e CLOCK -e 'Kernel panic' -e 'Call Trace' -e 'BUG:' -e 'soft lockup' -e 'rcu.*stall' || give_up "the guest complains: $(cat "$@" | grep -a -m 1 -E 'CLOCK|panic|Trace|BUG|lockup|stall')"
    # The last line may be incomplete, as the guest was ended at some point.
    cat "$@" | tr -d '\r' | sed '$d' | grep -a TICK > got
    rounds=$(awk '$3 ~ /^[0-9]+$/ && $3 > m { m = $3 } END { print m + 0 }' got)
    if [ "$rounds" -eq 0 ] || [ "$rounds" -gt 100000 ]; then
        give_up "there are no rounds"
    fi

    "$guests/load" "$cpus" "$load_memory" "$rounds" > all
    unknown=$(grep -avxFc -f all got || true)
    [ "$unknown" -le "$cuts" ] || give_up "$unknown wrong lines, the first: $(grep -avxF -m 1 -f all got)"
    if [ "$cuts" -eq 0 ]; then
        same "lines that came twice" "$(sort got | uniq -d)" ''
    fi

    # Of each thread every round up to its last. A spoilt line does not count: what it stood for may lie beyond the last cut.
    local thread
    grep -axF -f all got > good
    for ((thread = 0; thread < cpus; thread++)); do
        same "rounds of thread $thread" "$(awk -v t="$thread" '$2 == t { print $3 }' good | sort -nu | wc -l)" \
            "$(awk -v t="$thread" '$2 == t && $3 > m { m = $3 } END { print m + 0 }' good)"
    done
}

# migrated NAME: waits for the end of a migration
migrated()
{
    local tenths=$((900 * patience))
    while :; do
        ask "$1" query-migrate
        case $answer in
            *'"status": "completed"'*) return ;;
            *'"status": "failed"'* | *'"status": "cancelled"'*) give_up "migration: $answer" ;;
        esac
        [ "$tenths" -gt 0 ] || give_up "migration does not end: $answer"
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# to_file HOPS MACHINE CPUS ARGUMENT…: the running guest goes to a file and, from there, to a new QEMU, and so on.
to_file()
{
    local hops=$1 cpus=$3 hop
    shift
    start_load q0 "$@"
    wait_for q0 90 '^TICK'
    for ((hop = 0; hop < hops; hop++)); do
        wait_ticks "q$hop" $((10 * cpus))
        ask "q$hop" migrate "{\"uri\": \"exec:cat > $dir/state\"}"
        migrated "q$hop"
        stop "q$hop"
        start_load "q$((hop + 1))" "$@" -incoming "exec:cat $dir/state"
        wait_ticks "q$((hop + 1))" $((5 * cpus))
    done
    stop "q$hops"
    # shellcheck disable=SC2046
    right "$cpus" 0 $(seq -f q%g.serial 0 "$hops")
}

# live HOPS MACHINE CPUS ARGUMENT…: while it runs, over TCP on loopback, from process to process. Each must have said what the global at_work matches, too.
at_work=TICK
live()
{
    local hops=$1 cpus=$3 hop port
    shift
    start_load q0 "$@"
    wait_for q0 90 '^TICK'
    wait_for q0 60 "$at_work"
    for ((hop = 0; hop < hops; hop++)); do
        start_load "q$((hop + 1))" "$@" -incoming tcp:127.0.0.1:0
        ask "q$((hop + 1))" query-migrate
        port=$(sed -n 's/.*"port": "\([0-9]*\)".*/\1/p' <<< "$answer")
        wait_ticks "q$hop" "$cpus"
        ask "q$hop" migrate "{\"uri\": \"tcp:127.0.0.1:$port\"}"
        migrated "q$hop"
        if ! [[ $answer =~ \"dirty-sync-count\":\ ([0-9]+) ]] || [ "${BASH_REMATCH[1]}" -lt 2 ]; then
            give_up "nothing was sent twice: $answer"
        fi

        echo "hop $hop: ${BASH_REMATCH[0]} $(grep -o '"downtime": [0-9]*' <<< "$answer")"
        stop "q$hop"
        wait_ticks "q$((hop + 1))" $((5 * cpus))
        wait_for "q$((hop + 1))" 60 "$at_work"
    done
    stop "q$hops"
    # shellcheck disable=SC2046
    right "$cpus" 0 $(seq -f q%g.serial 0 "$hops")
}

# live_disk HOPS MACHINE CPUS DEVICE: the same with a disk at work (guest/disk.c), which all processes have in one file.
live_disk()
{
    local last differing
    truncate -s 16M disk
    job="disk_load disk=vda modules=virtio_pci,virtio_blk" at_work=DISK
    live "$1" "$2" "$3" -drive if=none,id=disk,format=raw,file=disk -device "$4,drive=disk"
    # shellcheck disable=SC2046
    cat $(seq -f q%g.serial 0 "$1") | tr -d '\r' | sed '$d' | grep -a DISK > got
    last=$(tail -n 1 got | cut -d ' ' -f 2)
    [[ $last =~ ^[0-9]+$ ]] || give_up "the disk did not work: $(tail -n 1 got)"
    truncate -s 16M expected
    "$guests/disk" expected "$last" > all
    cmp -s got all || give_up "the disk's lines are wrong, the first: $(diff got all | sed -n 2p)"
    # The last process was ended in the middle of a round, or of the next if its line was cut: each writes 4 blocks of 64 KiB.
    differing=$(cmp -l disk expected | awk '{ b[int(($1 - 1) / 65536)] } END { print length(b) }' || true)
    [ "$differing" -le 8 ] || give_up "$differing blocks of the disk are not what the guest wrote"
    echo "$last rounds of the disk"
}

# snapshots COUNT MACHINE CPUS ARGUMENT…: savevm while the guest works, loadvm in the same process, and at last in a new one.
snapshots()
{
    local count=$1 cpus=$3 i
    shift
    qemu-img create -q -f qcow2 state.qcow2 1G
    start_load old "$@" -drive if=none,id=state,format=qcow2,file=state.qcow2
    wait_for old 90 '^TICK'
    for ((i = 0; i < count; i++)); do
        wait_ticks old $((5 * cpus))
        say old "savevm s$i"
        wait_ticks old $((5 * cpus))
        say old "loadvm s$i"
        wait_ticks old $((3 * cpus))
    done
    right "$cpus" "$count" old.serial
    stop old
    start_load new "$@" -drive if=none,id=state,format=qcow2,file=state.qcow2 -loadvm "s$((count - 1))"
    wait_ticks new $((5 * cpus))
    stop new
    right "$cpus" $((count + 1)) old.serial new.serial
}

scenario savevm-pc-1 500 snapshots 4 pc 1 -- "savevm and loadvm of a working guest: four times in one process, then in a new one"
scenario savevm-q35-2 500 snapshots 4 q35 2 -- "the same with two processors"
scenario savevm-microvm-1 500 snapshots 4 microvm 1 -- "the same on microvm"
scenario file-pc-1 500 to_file 4 pc 1 -- "to a file and back into a new process, four times"
scenario file-q35-2 500 to_file 4 q35 2 -- "the same with two processors"
scenario file-once 300 to_file 1 pc 1 -- "the same, once"
scenario live-pc-1 500 live 4 pc 1 -- "live migration over loopback under memory load, four times"
scenario live-q35-2 500 live 4 q35 2 -- "the same with two processors"
scenario live-disk-pc 500 live_disk 4 pc 1 virtio-blk-pci -- "the same with a virtio disk at work"
scenario live-disk-q35-2 500 live_disk 4 q35 2 virtio-blk-pci -- "the same with two processors"
scenario live-cpu-host 500 live 2 q35 1 -cpu host,migratable=on -- "the same with AVX state and every other feature"
quick file-once
