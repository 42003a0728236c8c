#!/bin/sh
# The first process of the Linux boot tests: a marker, checks of what a processor and its timer do, and power-off.
# Each check is a line "AKVAM-CHECK name=value"; the test knows the values.
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2> /dev/null
mount -t tmpfs tmp /tmp
exec < /dev/console > /dev/console 2>&1
echo "AKVAM-GUEST-UP $(uname -srm)"

say()
{
    echo "AKVAM-CHECK $1=$2"
}

uptime_now()
{
    read -r seconds rest < /proc/uptime
    echo "$seconds"
}

say cpus "$(nproc)"
say sha256 "$(dd if=/dev/zero bs=65536 count=16 2> /dev/null | sha256sum | cut -d ' ' -f 1)"
say float "$(awk 'BEGIN { for (i = 1; i <= 2000; i++) s += 1 / (i * i) + i / 7e6; printf "%.15f", s }')"

before=$(uptime_now)
sleep 1
say sleep "$(echo "$before $(uptime_now)" | awk '{ printf "%.2f", $2 - $1 }')"

# Field 39 of a task's status is the processor it ran on last; the name in field 2 holds no blank here.
cpu=0
while [ "$cpu" -lt "$(nproc)" ]; do
    say "task$cpu" "$(taskset "$(printf '%x' $((1 << cpu)))" awk '{ print $39 }' /proc/self/stat)"
    cpu=$((cpu + 1))
done

# Work on every processor at once: each child adds up the same numbers.
cpu=0
while [ "$cpu" -lt "$(nproc)" ]; do
    taskset "$(printf '%x' $((1 << cpu)))" awk 'BEGIN { for (i = 0; i < 20000; i++) s += i; print s }' > "/tmp/sum$cpu" &
    cpu=$((cpu + 1))
done
wait
say sums "$(cat /tmp/sum* | tr '\n' ' ')"
echo AKVAM-GUEST-DONE
poweroff -f
