"""The weights directory of the trained model: shards, manifest, sample portraits.

The average code moves from the heads' biases into `latent_avg`. The sample portraits are not the model's: they lie
in weights/samples, where convert.py made them, and go into every weights directory with their licence.
"""

from __future__ import annotations

import json
import pathlib
import shutil

from .. import arguments, checkpoints, weights
from ..budgets import BUDGETS
from ..editing.edits import Editable
from ..sliders import COMPONENTS, ROWS, SLIDERS
from ..teachers.exemplars import Exemplars
from ..teachers.mouth import BETWEEN_LIPS, TEETH_SHOWN

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = HERE.parents[1] / "weights" / "samples"


class Directions:
    """The manifest's directions and their tensors."""

    def __init__(self, styles: int):
        self.styles, self.entries, self.tensors = styles, [], {}

    def add(self, name: str, label: str, group: str, ends, tensor, folded: bool = False, **parts):
        """A direction of the codes, `tensor`; `parts` are what else it brings, left out where that is nothing."""
        key = f"directions.{name}"
        entry = {"name": name, "label": label, "group": group}
        entry |= {"folded": True} if folded else {}
        entry |= {"kind": "linear", "tensor": key, "range": ends, "styles": [0, self.styles]}
        self.tensors[key] = tensor
        for part, values in parts.items():
            if values.any():
                entry[part] = f"{key}.{part}"
                self.tensors[entry[part]] = values
        self.entries.append(entry)
        return entry

    def add_cover(self, entry: dict, opacities, known: dict | None):
        """Where a direction draws what a photo does not show, and, if any do, which faces show it already."""
        tensor = f"{entry['tensor']}.cover"
        self.tensors[tensor] = opacities
        entry["cover"] = {"tensor": tensor} | ({"shown": known} if known else {})


def samples(out: pathlib.Path):
    """What the manifest says of the sample portraits; puts copies of them into `out` where that is another folder."""
    if (out / "samples").resolve() != SAMPLES:
        shutil.copytree(SAMPLES, out / "samples", ignore=shutil.ignore_patterns("*.py"), dirs_exist_ok=True)
    files = {name: SAMPLES / f"{name}.json" for name in ("samples", "previews")}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}


def main():
    parser = arguments.parser(__doc__, "budget", "work", "out")
    arguments.add_state(parser)
    parser.add_argument(
        "--about", type=pathlib.Path, help="JSON with texts, sliders, components; else about/<budget>.json"
    )
    parser.add_argument("--dtype", choices=("f16", "f32", "q8"), default="f16")
    args = parser.parse_args()
    about_file = args.about or HERE / "about" / f"{args.budget}.json"
    about = json.loads(about_file.read_text(encoding="utf-8"))
    fitted = checkpoints.load(args.work / "directions.pt")
    shown = Exemplars(checkpoints.load(args.work / "exemplars.pt")).shown
    model = Editable(BUDGETS[args.budget].model).eval().requires_grad_(False)
    checkpoints.take_average(model, args.work / args.state).move_average(fitted["mean"])

    directions, edits = Directions(model.config.styles), model.edits
    for name in about.pop("sliders"):
        row, slider = ROWS[name], SLIDERS[ROWS[name]]
        where = slider.title, slider.group, slider.ends
        parts = {"motion": edits.shifts[row], "change": edits.changes[row]}
        entry = directions.add(name, *where, edits.directions[row], slider.folded, **parts)
        if slider.turned:
            entry["turned"] = slider.turned
        if slider.shown:
            entry["shown"] = {"points": slider.shown, "range": shown[name]}
        if edits.covers[row].any():
            directions.add_cover(entry, edits.covers[row, 0], TEETH_SHOWN if name in BETWEEN_LIPS else None)
    for spec in about.pop("components"):
        tensor = spec.get("sign", 1) * fitted["components"][spec["component"]]
        directions.add(spec["name"], spec["label"], COMPONENTS["group"], spec["range"], tensor, COMPONENTS["folded"])

    faces = {"face.shape": edits.shape, "plan.shape": edits.layout}
    about |= {"face_shape": "face.shape", "plan_shape": "plan.shape"} | samples(args.out)
    tensors = weights.model_tensors(model) | faces | directions.tensors
    weights.write(args.out, model.config, tensors, args.dtype, about, directions.entries)
    total = sum(f.stat().st_size for f in args.out.glob("shard-*.safetensors"))
    print(f"{len(tensors)} tensors, {total / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
