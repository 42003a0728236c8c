# QEMU's gdbstub: breakpoints and steps in a guest, with the kernel's own symbol addresses.
# shellcheck shell=bash disable=SC2154

# gdb_to PORT COMMAND…: what gdb says to each command, in gdb.log
gdb_to()
{
    local port=$1 commands=() command
    shift
    for command; do
        commands+=(-ex "$command")
    done
    timeout 60 gdb -nx -batch -ex 'set confirm off' -ex 'set architecture i386:x86-64' -ex "target remote 127.0.0.1:$port" "${commands[@]}" > gdb.log 2>&1 \
        || give_up "gdb: $(tail -n 1 gdb.log)"
}

# The stub listens on a port that is free now.
start_stub()
{
    local tries
    for ((tries = 0; tries < 20; tries++)); do
        port=$((20000 + RANDOM % 20000))
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || break
    done
    ask linux human-monitor-command "{\"command-line\": \"gdbserver tcp:127.0.0.1:$port\"}"
}

# gdbstub CPUS KIND: KIND is break (written into memory) or hbreak (a debug register)
gdbstub()
{
    local cpus=$1 kind=$2 port symbol
    command -v gdb > /dev/null || leave_out "there is no gdb"
    start_linux linux cloud "job=symbol nokaslr" -machine q35 -smp "$cpus"
    wait_for linux 80 '^GUEST symbol='
    symbol=0x$(reported linux symbol)
    start_stub
    # shellcheck disable=SC2016 # gdb's variables
    gdb_to "$port" "$kind *$symbol" continue 'printf "hit %#lx\n", $rip' 'stepi 100' 'printf "stepped to %#lx\n", $rip' \
        continue 'printf "again %#lx\n", $rip' delete detach
    grep -q "^hit $symbol" gdb.log || give_up "no stop at $symbol: $(grep -m 1 -E 'hit|Program|error' gdb.log)"
    grep '^stepped to 0x' gdb.log | grep -qv "$symbol" || give_up "it did not step"
    grep -q "^again $symbol" gdb.log || give_up "no second stop at $symbol"
    wait_end linux 60
    grep -aq '^GUEST DONE' linux.serial || give_up "the guest did not go on: $(tail -n 1 linux.serial)"
    same "the last host name" "$(reported linux hostname)" guest29
}

scenario gdbstub-hard-1 150 gdbstub 1 hbreak -- "a breakpoint in a debug register, 100 steps, and on; needs gdb"
scenario gdbstub-soft-1 150 gdbstub 1 break -- "the same with a breakpoint in memory"
scenario gdbstub-hard-2 150 gdbstub 2 hbreak -- "a debug register on two processors"
