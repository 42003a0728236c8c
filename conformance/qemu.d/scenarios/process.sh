# QEMU as a process: its sandbox, as a daemon, two at once, and what is left of one that was killed.
# shellcheck shell=bash disable=SC2154

sandbox()
{
    linux q35 2 -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
}

# A daemon is a child of the process that was started; it opens /dev/kvm.
daemon()
{
    local launcher=() pid tenths=$((900 * patience))
    [ "$accel" != kvm ] || launcher=("$here/../akvam" exec --)
    "${launcher[@]}" "$qemu" -accel "$accel" -machine q35 -m 256 -nodefaults -no-user-config -display none -no-reboot -serial "file:$dir/linux.serial" \
        -kernel "$guests/cloud.kernel" -initrd "$guests/cloud.initrd" -append "console=ttyS0 quiet panic=-1 job=check" \
        -daemonize -pidfile "$dir/pid" > linux.log 2>&1 || give_up "-daemonize: $(tail -n 1 linux.log)"
    pid=$(cat pid)
    pid_of[daemon]=$pid
    while kill -0 "$pid" 2> /dev/null; do
        [ "$tenths" -gt 0 ] || give_up "the daemon does not end: $(tail -n 1 linux.serial)"
        tenths=$((tenths - 1))
        sleep 0.1
    done
    pid_of[linux]=$pid
    sane_end linux 1
}

# sane for a guest whose QEMU is gone
sane_end()
{
    grep -aq '^GUEST DONE' "$1.serial" || give_up "the guest did not get to its end: $(tail -n 1 "$1.serial")"
    sane "$1" "$2"
}

two()
{
    start_linux one cloud job=check -machine q35 -smp 1
    start_linux other cloud job=check -machine pc -smp 2
    wait_end one 160
    wait_end other 160
    sane_end one 1
    sane_end other 2
}

# files_of PID: named files that the process has open or mapped, made since the file 'mark' was
files_of()
{
    { find "/proc/$1/fd" -type l -printf '%l\n'; sed -n 's/^[^/]*\//\//p' "/proc/$1/maps"; } 2> /dev/null \
        | sort -u | grep -E '^/(tmp|run|dev/shm|var/tmp)/' | grep -v ' (deleted)$' | while read -r file; do
        [ ! "$file" -nt mark ] || echo "$file"
    done || true
}

# What lies around: names only, in the places that programs leave things in.
places()
{
    find /dev/shm "$dir/tmp" -mindepth 1 2> /dev/null | sort
}

killed()
{
    local pid file before
    before=$(places)
    touch mark
    start_linux linux cloud "job=load threads=2 memory=16 rounds=1000000" -machine q35 -smp 2
    wait_for linux 80 '^TICK 1 5 '
    pid=${pid_of[linux]}
    pgrep -P "$pid" > children || true
    same "child processes" "$(cat children)" ''
    files_of "$pid" | grep -v "^$dir/" > files || true
    kill -KILL "$pid"
    wait "$pid" || true
    unset 'pid_of[linux]'
    ! pgrep -f "$dir/linux.serial" > left || give_up "processes are left: $(cat left)"
    while read -r file; do
        [ ! -e "$file" ] || give_up "$file is left"
    done < files
    same "files in /dev/shm and \$TMPDIR" "$(places | grep -vxF "$before" || true)" ''
}

scenario sandbox 120 sandbox -- "Linux boots under -sandbox on with everything denied"
scenario daemonize 150 daemon -- "-daemonize: /dev/kvm works in a child of the process that was started"
scenario two-clients 180 two -- "two QEMUs at the same time"
scenario sigkill 120 killed -- "SIGKILL leaves no process and no file behind"
