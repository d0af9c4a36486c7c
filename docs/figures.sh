#!/usr/bin/env bash
# Makes the figures of the book by the engine itself, from a sample portrait of a person who does not exist.
#
#   docs/figures.sh [PROGRAM]    PROGRAM is sdic, target/release/sdic unless told
#
# Run it after new weights, look at what has changed in docs/src/figures, and commit it.
set -euo pipefail
program="$(realpath "${1:-target/release/sdic}")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out="$PWD/docs/src/figures"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

sdic() { "$program" "$@" 2>>"$work/said" || { cat "$work/said" >&2; exit 1; }; }
# face NAME OPTIONS...: an edit of the aligned face of the portrait NAME
face() { sdic edit "$work/$1/1.png" --weights weights --aligned "${@:2}"; }

for name in 01 03; do sdic align "weights/samples/$name.webp" --size 256 --out "$work/$name"; done

# The method, step by step. Nothing edited and put onto the photo's own pixels is the photo.
face 01 --edit smile=0 --paste difference --out "$out/photo.jpg"
sdic invert "$work/01/1.png" --weights weights --aligned --out "$out/compensated.jpg" \
  --initial "$out/plain.jpg" --discrepancy "$out/discrepancy.jpg"
face 01 --edit smile=1.6 --paste face --out "$out/edited.jpg"
face 01 --edit smile=1.6 --paste difference --out "$out/retouched.jpg"

# What sliders do.
face 03 --edit smile=0 --paste difference --out "$out/rest.jpg"
for slider in smile=1.6 age=2.2 yaw=1.2 brows=1.8 glasses=1; do
  face 03 --edit "$slider" --paste difference --out "$out/${slider%=*}.jpg"
done
