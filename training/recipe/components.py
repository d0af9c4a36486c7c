"""The unsupervised directions in W+: principal components of the codes of the training pictures.

What the labels do not explain of the codes, by one ridge regression on all of them, is split into components; the
labelled directions were learned by the stages. Writes `mean` [styles,D] and `components` [n,styles,D] (each times
its standard deviation) as directions.pt in the work folder.
"""

from __future__ import annotations

import numpy as np
import torch

from .. import arguments, checkpoints
from ..budgets import BUDGETS
from ..data.faces import Faces
from ..networks import Sdic

COMPONENTS = 24
PER_SOURCE = 2000  # pictures of each source, real and synthetic, each also mirrored


@torch.no_grad()
def encode(model: Sdic, faces: Faces, ids, mirrored: bool, batch: int = 50):
    codes = []
    for part in torch.from_numpy(ids).split(batch):
        images = faces.images(part.numpy())
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            codes.append(model.encode(images.flip(3) if mirrored else images).float().cpu())
    return torch.cat(codes)


def fit(codes, labels, real, ridge: float = 0.02):
    """Mean of codes [n,...], and what ridge regression on labels [n,k] and on their being photos leaves of them."""
    design = torch.cat([labels, real[:, None] - real.mean()], 1)
    weight = torch.where(real > 0, 0.5 / real.mean(), 0.5 / (1 - real.mean()))[:, None]
    flat = codes.flatten(1)
    mean = (weight * flat).mean(0)
    gram = (weight * design).T @ design / len(design) + ridge * torch.eye(design.shape[1])
    rows = torch.linalg.solve(gram, (weight * design).T @ (flat - mean) / len(design))
    rest = flat - mean - design @ rows
    return mean, rest * weight.sqrt()


def main():
    parser = arguments.parser(__doc__, "budget", "index", "work")
    arguments.add_state(parser)
    args = parser.parse_args()
    torch.manual_seed(3)
    config, device = BUDGETS[args.budget].model, BUDGETS[args.budget].available_device()
    faces = Faces(args.work / "faces.npy", args.index, config.image_size, device)
    model = checkpoints.take_average(Sdic(config), args.work / args.state).to(device).eval()

    ids = np.concatenate([faces.split(val=False, real=real)[:PER_SOURCE] for real in (True, False)])
    codes = torch.cat([encode(model, faces, ids, mirrored) for mirrored in (False, True)])
    real = torch.from_numpy(faces.real[ids]).float().repeat(2)
    mean, rest = fit(codes, torch.cat(faces.both_labels(ids)), real)
    explained = 1 - rest.square().sum() / (codes.flatten(1) - mean).square().sum()
    print(f"labels explain {100 * explained:.1f} % of the code variance")

    _, sizes, basis = torch.svd_lowrank(rest, q=COMPONENTS + 8, niter=4)
    components = basis[:, :COMPONENTS] * sizes[:COMPONENTS] / len(rest) ** 0.5
    shape = codes.shape[1:]
    found = {"mean": mean.view(shape), "components": components.T.contiguous().view(-1, *shape)}
    checkpoints.save(args.work / "directions.pt", found)
    print("component lengths", [round(float(s), 2) for s in components.norm(dim=0)])


if __name__ == "__main__":
    main()
