#!/usr/bin/env bash
# Trains the bundled model and writes its weights directory. Every stage continues from its checkpoint in WORK
# when run again, and is skipped once its minutes are used up.
# usage: training/train.sh --budget cpu|gpu|refine|tiny DATA WORK OUT [--from-weights DIR]
#   DATA  folder with index.csv and faces256-*.tar, clean512.csv and clean512.tar
#   WORK  folder for checkpoints      OUT  weights directory
#   DIR   finished weights directory to begin from instead of noise; its sizes may differ. refine needs it: it
#         leaves encoder and codes as they are, and learns the map, the compensation and the edits on, on a CPU
# PYTHON names the Python that has the packages of requirements.txt; python3 if it is not set.
set -euo pipefail
[ $# -ge 5 ] && [ "$1" = --budget ] || { sed -n 2,9p "$0"; exit 2; }
budget=$2 data=$3 work=$4 out=$5
start=("${@:6}")
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
# glibc keeps memory that is freed, in place of giving it back page by page: a generator takes half the time.
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=268435456
"$here/prepare.sh" "$data" "$work"

stage() { # one process per core on a CPU, where processes of one thread share cores best
  local module=training.recipe.stages.$1
  set -- --budget "$budget" --index "$data/index.csv" --work "$work" "${@:2}"
  if [ "$budget" = cpu ] || [ "$budget" = refine ]; then
    OMP_NUM_THREADS=1 "$python" -m torch.distributed.run --nproc_per_node "$(nproc)" -m "$module" "$@"
  else
    "$python" -m "$module" "$@"
  fi
}

about=$budget
if [ "$budget" = refine ]; then
  [ ${#start[@]} = 2 ] || { sed -n 2,9p "$0"; exit 2; }
  about=gpu # the same model
  "$python" -m training.recipe.start --budget refine --work "$work" --weights "${start[1]}"
  stage dipn
else
  stage autoencoder "${start[@]}"
  stage dipn
  stage compensation
fi
stage crops
"$python" -m training.recipe.components --budget "$budget" --index "$data/index.csv" --work "$work"
"$python" -m training.recipe.export --budget "$budget" --work "$work" --out "$out" \
  --about "$here/recipe/about/$about.json"
