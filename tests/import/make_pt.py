#!/usr/bin/env python3
"""Write the small PyTorch files that the import tests read.

kinds.pt   every element type and view that a state dict can hold, options as a Namespace, storages tagged cuda:0
legacy.pt  the format before PyTorch 1.6
hostile.pt  a pickle that would run a command if Python unpickled it; never load it with PyTorch
objects2.pt, objects4.pt, objects5.pt, objects-legacy.pt  a direction beside objects that only Python can restore, by protocol
ganspace.npz  a GANSpace basis as that project writes it
wide.npz   the same array of 2 x 4 numbers in every type and order of NumPy
direction.pt, basis.pt  an InterFaceGAN direction and a GANSpace basis for a style width of 4

usage: make_pt.py      (needs torch and NumPy; writes beside itself)
"""
import argparse
import collections
import os
import pathlib
import types

import numpy
import torch

HERE = pathlib.Path(__file__).parent


class Settings(dict):
    """A dictionary of a class that nobody else has."""


class Slots:
    __slots__ = ["width"]

    def __init__(self):
        self.width = 4


class Hostile:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def main():
    torch.serialization.register_package(0, lambda _: "cuda:0", lambda obj, _: obj)
    count = torch.arange(24, dtype=torch.float32)
    state = collections.OrderedDict(
        f32=count.reshape(2, 3, 4) / 4,
        f16=count.half() / 8,
        bf16=count.bfloat16(),
        f64=count.double() / 3,
        i64=torch.arange(-3, 3),
        i32=torch.arange(-3, 3, dtype=torch.int32),
        bool=torch.tensor([True, False, True]),
        scalar=torch.tensor(7),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(count[:6].reshape(2, 3)),
        transposed=count.reshape(4, 6).t(),
        tail=count.reshape(2, 3, 4)[1:, 1:, ::2],
        repeated=count[5:6].expand(3, 2),
    )
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    opts = argparse.Namespace(dataset_type="ffhq_encode", rate=0.001, large=1 << 40, negative=-70000, sizes=[1, 300, 70000],
                              pair=("a", None), flag=True, device=torch.device("cuda:0"), size=torch.Size([2, 3]))
    torch.save({"state_dict": state, "opts": opts}, HERE / "kinds.pt")
    torch.save({"first": count[4:8], "second": torch.arange(3)}, HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": Hostile()}, HERE / "hostile.pt")
    direction = torch.tensor([[0.5, -1.0, 2.0, 0.25]])
    torch.save(direction, HERE / "direction.pt")
    objects = {
        "path": pathlib.PurePosixPath("a/b"), "scalar": numpy.float32(2), "array": numpy.arange(6.0).reshape(2, 3),
        "strings": numpy.array(["a", "b"]), "set": {1, 2}, "frozen": frozenset({"a"}), "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("aab"), "deque": collections.deque([1, 2], 3), "bytes": b"\xff\x00", "bytearray": bytearray(b"abc"),
        "dtype": torch.float16, "size": torch.Size([1]), "namespace": types.SimpleNamespace(a=1), "settings": Settings(a=1),
        "slots": Slots(), "complex": 1 + 2j, "large": 1 << 100, "negative": -(1 << 70), "range": range(3), "slice": slice(1, 2),
        "function": os.path.join, "class": torch.nn.Linear, "module": torch.nn.Linear(1, 1), "layout": torch.strided,
        "short": torch.tensor([1, 2], dtype=torch.int16), "half": "\ud800", "nested": {"set": {1}}, "ellipsis": ..., "date": numpy.datetime64("2020-01-01"),
    }
    objects["nested"]["self"] = objects["nested"]
    for protocol in [2, 4, 5]:
        torch.save({**objects, "direction": direction}, HERE / f"objects{protocol}.pt", pickle_protocol=protocol)
    torch.save({**objects, "direction": direction}, HERE / "objects-legacy.pt", pickle_protocol=4, _use_new_zipfile_serialization=False)
    numbers = numpy.array([[1, 0, 2, 3], [0, 4, 5, 100]])
    wide = {}
    for kind in ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]:
        for order in "<>":
            for layout in "CF":
                wide[f"{kind}{'be' if order == '>' else 'le'}{layout}"] = numbers.astype(numpy.dtype(order + kind), order=layout)
    numpy.savez_compressed(HERE / "wide.npz", **wide)
    lat = numpy.eye(4, dtype=numpy.float32)[:3]
    numpy.savez_compressed(HERE / "ganspace.npz", act_comp=lat[:, None] * 2, act_mean=lat[:1], act_stdev=numpy.zeros(3, numpy.float32),
                           lat_comp=lat[:, None], lat_mean=numpy.full((1, 4), 0.5, numpy.float32),
                           lat_stdev=numpy.array([3, 2, 1], numpy.float32), var_ratio=numpy.full(3, numpy.nan, numpy.float32),
                           random_stdevs=numpy.array([], numpy.float32))
    basis = {"comp": torch.eye(4)[:3].unsqueeze(1), "mean": torch.tensor([[0.1, 0.2, 0.3, 0.4]]), "std": torch.tensor([3.0, 2.0, 1.0])}
    torch.save(basis, HERE / "basis.pt")


if __name__ == "__main__":
    main()
