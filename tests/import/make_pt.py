#!/usr/bin/env python3
"""Write the small PyTorch files that the import tests read.

kinds.pt   every element type and view that a state dict can hold, options as a Namespace, storages tagged cuda:0
legacy.pt  the format before PyTorch 1.6
hostile.pt  a pickle that would run a command if Python unpickled it; never load it with PyTorch
direction.pt, basis.pt  an InterFaceGAN direction and a GANSpace basis for a style width of 4

usage: make_pt.py      (needs torch; writes beside itself)
"""
import argparse
import collections
import os
import pathlib

import torch

HERE = pathlib.Path(__file__).parent


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
    torch.save(torch.tensor([[0.5, -1.0, 2.0, 0.25]]), HERE / "direction.pt")
    basis = {"comp": torch.eye(4)[:3].unsqueeze(1), "mean": torch.tensor([[0.1, 0.2, 0.3, 0.4]]), "std": torch.tensor([3.0, 2.0, 1.0])}
    torch.save(basis, HERE / "basis.pt")


if __name__ == "__main__":
    main()
