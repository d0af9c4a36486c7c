#!/usr/bin/env bash
# Prepares a WORK folder for train.sh or carry.py: pictures, their landmarks and the two teachers. What is there stays.
# usage: training/prepare.sh DATA WORK
set -euo pipefail
[ $# = 2 ] || { sed -n 2,3p "$0"; exit 2; }
data=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$work/clean"

landmarks() { # of the aligned faces in a folder
  [ -f "$2" ] && return
  cargo run --release --manifest-path "$here/../Cargo.toml" --no-default-features --features cli \
    -- points "$1" --out "$2.partial"
  mv "$2.partial" "$2"
}

[ -f "$work/faces.npy" ] || "$python" -m training.data.pack --data "$data" --work "$work"
landmarks "$work/pictures" "$work/points.csv"
[ -f "$work/appearance.pt" ] ||
  "$python" -m training.teachers.fit_appearance --index "$data/index.csv" --work "$work"
[ -n "$(ls "$work/clean")" ] || tar -xf "$data/clean512.tar" -C "$work/clean"
landmarks "$work/clean" "$work/clean-points.csv"
[ -f "$work/exemplars.pt" ] || "$python" -m training.teachers.fit_exemplars --data "$data" --work "$work"
