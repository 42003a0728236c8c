# What scenarios are written with. In a scenario: $dir is its folder, $accel and $qemu as given, $guests the folder of guests.
# shellcheck shell=bash disable=SC2154,SC2034

# Global: this file is read within a function.
declare -gA pid_of input_of asked_of
readonly guests=$work/guests

# give_up WHY…: ends the scenario as failed.
give_up()
{
    echo "$*" >> "$dir/why"
    exit 1
}

# leave_out WHY…: ends the scenario as one that cannot be run here.
leave_out()
{
    echo "$*" >> "$dir/why"
    exit 77
}

kvm_only()
{
    [ "$accel" = kvm ] || leave_out "is about KVM"
}

# start NAME ARGUMENT…: starts a QEMU. Its serial console is NAME.serial, its monitor NAME.monitor (QMP), the rest NAME.log.
# The global kvm_options is added to -accel kvm.
kvm_options=
start()
{
    local name=$1 launcher=() fd
    shift
    [ "$accel" != kvm ] || launcher=("$here/../akvam" exec --)
    mkfifo "$name.input"
    exec {fd}<> "$name.input"
    : > "$name.monitor"
    "${launcher[@]}" "$qemu" -accel "$accel$([ "$accel" != kvm ] || echo "$kvm_options")" -nodefaults -no-user-config -display none -no-reboot \
        -serial "file:$dir/$name.serial" -chardev stdio,id=monitor,signal=off -mon chardev=monitor,mode=control \
        "$@" < "$name.input" > "$name.monitor" 2> "$name.log" &
    pid_of[$name]=$!
    input_of[$name]=$fd
    asked_of[$name]=0
    ask "$name" qmp_capabilities
}

alive()
{
    kill -0 "${pid_of[$1]}" 2> /dev/null
}

# wait_for NAME SECONDS PATTERN [FILE]: until a line of the serial console (or FILE) matches; QEMU may end, but then it must be there.
wait_for()
{
    local name=$1 tenths=$(($2 * 10 * patience)) pattern=$3 file=${4:-$1.serial}
    while ! grep -aqE -- "$pattern" "$file" 2> /dev/null; do
        if ! alive "$name"; then
            grep -aqE -- "$pattern" "$file" 2> /dev/null && return
            give_up "$name ended without '$pattern': $(tail -n 1 "$name.log")"
        fi
        [ "$tenths" -gt 0 ] || give_up "$name: no '$pattern' within $2 s; last line: $(tail -n 1 "$file" | tr -d '\r')"
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# wait_end NAME SECONDS [CODE]: until QEMU has ended by itself, with an exit code.
wait_end()
{
    local tenths=$(($2 * 10 * patience)) code=0
    while alive "$1"; do
        [ "$tenths" -gt 0 ] || give_up "$1 does not end"
        tenths=$((tenths - 1))
        sleep 0.1
    done
    wait "${pid_of[$1]}" || code=$?
    unset "pid_of[$1]"
    [ "$code" -eq "${3:-0}" ] || give_up "$1 ended with $code: $(tail -n 1 "$1.log")"
}

# ask NAME COMMAND [ARGUMENTS]: a QMP command, its arguments as JSON; the answer is in $answer.
ask()
{
    local name=$1 id=$((asked_of[$1] + 1)) tenths=$((1200 * patience))
    asked_of[$name]=$id
    echo "{\"execute\": \"$2\", \"arguments\": ${3:-{\}}, \"id\": \"q$id\"}" >&"${input_of[$name]}"
    until answer=$(grep -a "\"id\": \"q$id\"" "$name.monitor"); do
        alive "$name" || give_up "$name ended at $2: $(tail -n 1 "$name.log")"
        [ "$tenths" -gt 0 ] || give_up "$name does not answer $2"
        tenths=$((tenths - 1))
        sleep 0.1
    done
    case $answer in
        *'"error": {'*) give_up "$2: $answer" ;;
    esac
}

# say NAME LINE: a command of the human monitor, which says nothing when all is well.
say()
{
    ask "$1" human-monitor-command "{\"command-line\": \"$2\"}"
    case $answer in
        *'"return": ""'*) ;;
        *) give_up "$2: $answer" ;;
    esac
}

# stop NAME: ends QEMU through its monitor.
stop()
{
    # It may be gone before its answer is.
    echo '{"execute": "quit"}' >&"${input_of[$1]}"
    wait_end "$1" 20
}

# same WHAT A B
same()
{
    [ "$2" = "$3" ] || give_up "$1: '$2' is not '$3'"
}

clean_up()
{
    local name
    for name in "${!pid_of[@]}"; do
        kill -KILL "${pid_of[$name]}" 2> /dev/null || true
    done
    # Disks and saved states are large; logs tell what happened.
    find "$dir" -size +4M -delete 2> /dev/null || true
}
