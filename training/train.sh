#!/usr/bin/env bash
# Trains the bundled model and writes its weights directory. Every stage continues from its checkpoint in WORK
# when run again, and is skipped once its minutes are used up.
# usage: training/train.sh --budget cpu|gpu|tiny DATA WORK OUT [--from-weights DIR]
#   DATA  folder with index.csv and faces256-*.tar, clean512.csv and clean512.tar
#   WORK  folder for checkpoints      OUT  weights directory
#   DIR   finished weights directory to begin from instead of noise; its sizes may differ
set -euo pipefail
[ $# -ge 5 ] && [ "$1" = --budget ] || { sed -n 2,8p "$0"; exit 2; }
budget=$2 data=$3 work=$4 out=$5
start=("${@:6}")
here=$(cd "$(dirname "$0")" && pwd)
"$here/prepare.sh" "$data" "$work"

stage() { # one process per core on a CPU, where processes of one thread share cores best
  local script=$here/$1
  set -- --budget "$budget" --index "$data/index.csv" --work "$work" "${@:2}"
  if [ "$budget" = cpu ]; then
    OMP_NUM_THREADS=1 torchrun --nproc_per_node "$(nproc)" "$script" "$@"
  else
    python "$script" "$@"
  fi
}

stage autoencoder.py "${start[@]}"
stage dipn.py
stage compensation.py
stage crops.py
python "$here/directions.py" --budget "$budget" --index "$data/index.csv" --work "$work"
python "$here/export.py" --budget "$budget" --work "$work" --about "$here/about-$budget.json" --out "$out"
