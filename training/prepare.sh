#!/usr/bin/env bash
# Prepares a WORK folder for train.sh or carry.py: pictures, their 68 points and the two teachers. What is there stays.
# usage: training/prepare.sh DATA WORK
set -euo pipefail
[ $# = 2 ] || { sed -n 2,3p "$0"; exit 2; }
data=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work/clean"

points() { # of the aligned faces in a folder
  [ -f "$2" ] && return
  cargo run --release --manifest-path "$here/../Cargo.toml" --no-default-features --features cli -- points "$1" --out "$2.partial"
  mv "$2.partial" "$2"
}

[ -f "$work/faces.npy" ] || python "$here/pack.py" --data "$data" --work "$work"
points "$work/pictures" "$work/points.csv"
[ -f "$work/appearance.pt" ] || python "$here/appearance.py" --index "$data/index.csv" --work "$work"
[ -n "$(ls "$work/clean")" ] || tar -xf "$data/clean512.tar" -C "$work/clean"
points "$work/clean" "$work/clean-points.csv"
[ -f "$work/exemplars.pt" ] ||
  python "$here/exemplars.py" --clean "$work/clean" --clean-index "$data/clean512.csv" --points "$work/clean-points.csv" \
    --index "$data/index.csv" --work "$work"
