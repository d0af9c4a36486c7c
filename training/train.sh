#!/usr/bin/env bash
# Trains the bundled model and writes its weights directory. Every stage continues from its checkpoint in WORK
# when run again, and is skipped once its minutes are used up.
# usage: training/train.sh --budget cpu|gpu|tiny DATA WORK OUT [--from-weights DIR]
#   DATA  folder with index.csv and faces256-*.tar      WORK  folder for checkpoints      OUT  weights directory
#   DIR   finished weights directory: its networks stay, only the edits are learned anew
set -euo pipefail
[ $# -ge 5 ] && [ "$1" = --budget ] || { sed -n 2,6p "$0"; exit 2; }
budget=$2 data=$3 work=$4 out=$5
start=("${@:6}")
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"

size=$(PYTHONPATH=$here python -c "from budgets import BUDGETS; print(BUDGETS['$budget'].model.image_size)")
[ -f "$work/faces$size.npy" ] || python "$here/pack.py" --data "$data" --size "$size" --out "$work/faces$size.npy"
[ -f "$work/appearance.pt" ] || python "$here/appearance.py" --budget "$budget" --index "$data/index.csv" --work "$work"

stage() { # one process per core on a CPU, where processes of one thread share cores best
  local script=$here/$1
  set -- --budget "$budget" --index "$data/index.csv" --work "$work" "${@:2}"
  if [ "$budget" = cpu ]; then
    OMP_NUM_THREADS=1 torchrun --nproc_per_node "$(nproc)" "$script" "$@"
  else
    python "$script" "$@"
  fi
}

if [ ${#start[@]} = 0 ]; then
  if [ "$budget" = cpu ]; then
    stage autoencoder.py
    stage crops.py
  else
    stage generator.py
    stage encoder.py
  fi
  stage compensation.py
fi
stage edits.py "${start[@]}"
python "$here/directions.py" --budget "$budget" --index "$data/index.csv" --work "$work"
python "$here/export.py" --budget "$budget" --work "$work" --about "$here/about-$budget.json" --out "$out"
