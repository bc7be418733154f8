#!/bin/sh
# Runs .tflite files on an emulated ARM processor: what they give, and the instructions of one inference. Not a time: no
# emulator tells milliseconds.
#
# usage: tflite/arm/run.sh FOLDER OUTPUTS FILE.tflite [FILE.tflite ...] > counts.csv
#
# FOLDER is what setup.sh made; each file's output goes to OUTPUTS as .npy. CPU=cortex-a76 (default) or cortex-a53.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
shift
cpu=${CPU:-cortex-a76}
echo "file,cpu,instructions_emulated_not_a_time"
PYTHONHASHSEED=0 OPENBLAS_NUM_THREADS=1 PYTHONPATH="$folder/site" qemu-aarch64 -cpu "$cpu" -plugin "$folder/count.so" \
  -L "$folder/root-$cpu" "$folder/root-$cpu/usr/bin/python3.11" "$here/guest.py" "$@" 2>&1 > /dev/null |
  awk -v cpu="$cpu" '$1 == "COUNT" { before = last; last = $2 }
    $1 == "FILE" { sub(/.*\//, "", $2); printf "%s,%s,%.0f\n", $2, cpu, last - before; fflush(); next }
    $1 != "COUNT" && $1 != "INFO:" { print > "/dev/stderr" }'
