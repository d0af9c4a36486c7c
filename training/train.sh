#!/usr/bin/env bash
# Trains the bundled model and writes its weights directory. Every stage continues from its checkpoint in WORK
# when run again, and is skipped once its minutes are used up.
# usage: training/train.sh --budget cpu|gpu|tiny DATA WORK OUT [--from-weights DIR]
#   DATA  folder with index.csv and faces256-*.tar, clean512.csv and clean512.tar
#   WORK  folder for checkpoints      OUT  weights directory
#   DIR   finished weights directory to begin from instead of noise; its sizes may differ
# PYTHON names the Python that has the packages of requirements.txt; python3 if it is not set.
set -euo pipefail
[ $# -ge 5 ] && [ "$1" = --budget ] || { sed -n 2,9p "$0"; exit 2; }
budget=$2 data=$3 work=$4 out=$5
start=("${@:6}")
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
"$here/prepare.sh" "$data" "$work"

stage() { # one process per core on a CPU, where processes of one thread share cores best
  local module=training.recipe.stages.$1
  set -- --budget "$budget" --index "$data/index.csv" --work "$work" "${@:2}"
  if [ "$budget" = cpu ]; then
    OMP_NUM_THREADS=1 "$python" -m torch.distributed.run --nproc_per_node "$(nproc)" -m "$module" "$@"
  else
    "$python" -m "$module" "$@"
  fi
}

stage autoencoder "${start[@]}"
stage dipn
stage compensation
stage crops
"$python" -m training.recipe.components --budget "$budget" --index "$data/index.csv" --work "$work"
"$python" -m training.recipe.export --budget "$budget" --work "$work" --out "$out"
