#!/usr/bin/env python3
"""Golden outputs of the face networks, from Google's own runtime.

    pip install ai-edge-litert numpy
    npm pack @mediapipe/face_detection@0.4.1657300184 @mediapipe/face_mesh@0.4.1657299874
    npm pack @mediapipe/selfie_segmentation@0.1.1675465747
    python3 tests/face/golden.py mediapipe-face_detection-*.tgz mediapipe-face_mesh-*.tgz \
        mediapipe-selfie_segmentation-*.tgz

Feeds a fixed synthetic picture to the original flatbuffers and writes every output to `golden.safetensors` beside this
file. The picture is a formula (see `value`), so that the test can compute it too.
"""

import json
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

SIDE, PERSON_SIDE = 192, 256
MESH_RANGE = slice(2495952, 3737848)


def value(y, x, channel):
    """Rings, stripes and a checkerboard, in 0..255, whole numbers."""
    return ((y - 96) ** 2 // 8 + (x - 90) * 5 + channel * 60 + (x // 16 + y // 16) % 2 * 40) % 256


def picture(side):
    y, x, channel = np.mgrid[0:side, 0:side, 0:3]
    return value(y, x, channel).astype(np.float32)


def member(archive, name):
    with tarfile.open(archive) as tar:
        return tar.extractfile(name).read()


def run(model, picture):
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None].astype(np.float32))
    interpreter.invoke()
    return [interpreter.get_tensor(o["index"]).astype("<f4").ravel() for o in interpreter.get_output_details()]


def main():
    detector = member(sys.argv[1], "package/face_detection_full_range.tflite")
    mesh = member(sys.argv[2], "package/face_mesh_solution_packed_assets.data")[MESH_RANGE]
    person = member(sys.argv[3], "package/selfie_segmentation.tflite")
    outputs = dict(zip(["boxes", "scores"], run(detector, picture(SIDE) / np.float32(127.5) - 1)))
    outputs |= dict(zip(["points", "face"], run(mesh, picture(SIDE) / np.float32(255))))
    outputs |= dict(zip(["mask"], run(person, picture(PERSON_SIDE) / np.float32(255))))
    header, offset = {}, 0
    for name, data in outputs.items():
        header[name] = {"dtype": "F32", "shape": [data.size], "data_offsets": [offset, offset + data.nbytes]}
        offset += data.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blob = struct.pack("<Q", len(text)) + text + b"".join(d.tobytes() for d in outputs.values())
    (Path(__file__).parent / "golden.safetensors").write_bytes(blob)
    print({name: (data.size, float(data.min()), float(data.max())) for name, data in outputs.items()})


main()
