# System Management Mode: OVMF built with it, and what it does while a machine moves.
# shellcheck shell=bash disable=SC2154
# Scenarios of issue E go here: functions like those of firmware.sh and migration.sh, and a 'scenario' line for each.
