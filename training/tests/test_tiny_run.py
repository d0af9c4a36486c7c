"""Everything, in the order of train.sh, on drawn faces: each stage, export, measurements, and the way to a GPU and
back.

The model is too small and the run too short to learn a face. What is tested is that each stage changes what it
should, and nothing else, that it lowers its loss, and that files hold what their readers expect.
"""

from __future__ import annotations

import concurrent.futures
import json
import math
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

import torch

from .. import checkpoints, weights
from ..budgets import BUDGETS
from ..data.faces import Faces
from ..editing.directions import direction, edit
from ..editing.edits import Editable
from ..losses.balance import balanced
from ..measure import bias
from ..measure.fidelity import fidelity, left
from ..networks import Sdic
from ..recipe.clock import Clock
from ..recipe.job import Job, parser
from ..recipe.loop import Run, Stage
from ..recipe.stages import compensation
from ..recipe.stages.compensation import Compensation
from ..recipe.stages.crops import CropStage
from ..remote import pieces
from ..remote.chain import SHARES, START, Chain, pack, unpack
from ..sliders import COMPONENTS, SLIDERS, by_name
from ..teachers.editor import Editor
from ..teachers.exemplars import Exemplars
from . import made_faces

ROOT = pathlib.Path(__file__).resolve().parents[2]
ABOUT = json.loads((ROOT / "training" / "recipe" / "about" / "tiny.json").read_text(encoding="utf-8"))
TINY = BUDGETS["tiny"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
INTERRUPTED = 8  # steps of the first stage before it is continued


class TinyRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.data, cls.work, cls.out = (cls.folder / name for name in ("data", "work", "weights"))
        made_faces.write(cls.data, cls.work)
        cls.shell("prepare.sh", cls.data, cls.work)
        cls.stage("autoencoder", "--steps", INTERRUPTED)
        cls.interrupted = checkpoints.load(cls.work / "autoencoder.pt")
        cls.log = cls.shell("train.sh", "--budget", "tiny", cls.data, cls.work, cls.out)
        cls.faces = Faces(cls.work / "faces.npy", cls.data / "index.csv", TINY.model.image_size)
        cls.editor = Editor.load(cls.work, cls.faces)
        cls.val = cls.faces.split(val=True, real=True)
        # What takes long and needs nothing of each other runs side by side, and is looked at by the tests.
        pool = cls.enterClassContext(concurrent.futures.ThreadPoolExecutor(os.cpu_count()))
        cls.reported = pool.submit(cls.classify_and_report)
        cls.delivered = pool.submit(cls.carry_and_chain)
        cls.launched = pool.submit(cls.launch_two_workers)

    @classmethod
    def run_command(cls, *command) -> str:
        done = subprocess.run([*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"{command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    @classmethod
    def shell(cls, script: str, *arguments) -> str:
        return cls.run_command("bash", ROOT / "training" / script, *arguments)

    @classmethod
    def python(cls, module: str, *arguments) -> str:
        return cls.run_command(sys.executable, "-m", f"training.{module}", *arguments)

    @classmethod
    def stage(cls, name: str, *arguments) -> str:
        common = "--budget", "tiny", "--index", cls.data / "index.csv", "--work", cls.work
        return cls.python(f"recipe.stages.{name}", *common, *arguments)

    def state(self, name: str) -> dict:
        return checkpoints.load(self.work / f"{name}.pt")

    def averaged(self, name: str, kind=Editable):
        return checkpoints.take_average(kind(TINY.model), self.work / f"{name}.pt").eval().requires_grad_(False)

    def changed(self, before: str, after: str) -> set[str]:
        """Tensors of the average that a stage has changed."""
        old, new = self.state(before)["average"], self.state(after)["average"]
        return {name for name in old.keys() & new.keys() if not torch.equal(old[name], new[name])}

    # -- what runs side by side

    @classmethod
    def classify_and_report(cls) -> tuple[str, str]:
        """The classifier's log, and the report with the comparison of groups."""
        log = cls.stage("classifier")
        program = cls.folder / "sdic"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m training.tests.stand_in "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        folders = "--data", cls.data, "--work", cls.work, "--weights", cls.out, "--before", cls.out
        report = cls.folder / "report.md"
        cls.python("measure.report", *folders, "--program", program, "--out", report, "--faces", 3)
        cls.python("measure.difficult", *folders, "--out", cls.folder / "difficult.webp")
        cls.choices = cls.python("measure.choices", *folders[:4])
        for _ in range(2):
            cls.python("measure.bias", *folders[:6], "--out", report, "--drawn", 4)
        return log, report.read_text(encoding="utf-8")

    @classmethod
    def carry_and_chain(cls) -> tuple[str, pathlib.Path, pathlib.Path]:
        """What carry.py says, and the work folder and the deliveries of the chain."""
        parts, work, out = (cls.folder / name for name in ("parts", "carried", "delivered"))
        folders = "--data", cls.data, "--work", cls.work, "--weights", cls.out, "--out", parts
        carried = cls.python("remote.carry", *folders, "--megabytes", 4.2)
        work.mkdir()
        unpack(parts, 2, work)
        pack(work / "pictures", work / "index.csv", work / "faces.npy")
        given = {"budget": "tiny", "work": work, "out": out, "until": cls.folder / "until", "stages": [*SHARES]}
        chain = Chain(types.SimpleNamespace(**given))
        chain.minutes = lambda stage: 0.05
        chain.env |= ENVIRONMENT | {"PYTHONPATH": chain.env["PYTHONPATH"]}
        for stage in SHARES:
            chain.train(stage)
            chain.deliver(stage)
        return carried, work, out

    @classmethod
    def launch_two_workers(cls) -> dict:
        """The checkpoint of a stage that two processes trained together."""
        work = cls.folder / "workers"
        work.mkdir()
        (work / "faces.npy").symlink_to(cls.work / "faces.npy")
        launch = sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"
        stage = "-m", "training.recipe.stages.autoencoder", "--budget", "tiny", "--steps", "8"
        cls.run_command(*launch, *stage, "--index", cls.data / "index.csv", "--work", work)
        return checkpoints.load(work / "autoencoder.pt")

    # -- the stages

    def test_every_stage_does_its_steps_and_stays_finite(self):
        for name in ("autoencoder", "dipn", "compensation", "crops"):
            state = self.state(name)
            self.assertEqual(state["step"], TINY.steps[name])
            self.assertGreater(state["spent"], 0)
            for key, tensor in state["net"].items():
                self.assertTrue(tensor.isfinite().all(), f"{name}: {key}")

    def test_an_interrupted_stage_continues_and_a_finished_one_is_skipped(self):
        self.assertEqual(self.interrupted["step"], INTERRUPTED)
        # Lines come at steps 10 and 25; the first step of a run has none.
        self.assertIn("autoencoder step 10 ", self.log)
        self.assertGreater(self.state("autoencoder")["spent"], self.interrupted["spent"])
        before = (self.work / "dipn.pt").stat().st_mtime_ns
        self.assertIn(f"dipn: done after {TINY.steps['dipn']} steps", self.stage("dipn"))
        self.assertEqual((self.work / "dipn.pt").stat().st_mtime_ns, before)

    def test_a_run_of_steps_comes_out_the_same_again(self):
        first = self.state("dipn")
        (self.work / "dipn.pt").rename(self.folder / "dipn.pt")
        try:
            self.stage("dipn", "--steps", TINY.steps["dipn"])
            again = self.state("dipn")
        finally:
            (self.folder / "dipn.pt").replace(self.work / "dipn.pt")
        for name, tensor in first["average"].items():
            self.assertTrue(torch.equal(tensor, again["average"][name]), name)

    def test_the_autoencoder_learns_pictures(self):
        photos = self.faces.images(self.val)
        torch.manual_seed(1)
        untrained = fidelity(Sdic(TINY.model).eval(), photos)["plain, dB"]
        self.assertGreater(fidelity(self.averaged("autoencoder"), photos)["plain, dB"], untrained + 3)

    def test_dipn_alone_changes_and_lowers_its_loss(self):
        changed = self.changed("autoencoder", "dipn")
        self.assertTrue(changed)
        self.assertTrue(all(name.startswith("DIP.") for name in changed), changed)
        losses = {int(step): float(loss) for step, loss in re.findall(r"dipn step (\d+) .* loss (\S+)", self.log)}
        self.assertLess(losses[50], 0.7 * losses[10])

    def test_compensation_leaves_encoder_and_dipn(self):
        changed = self.changed("dipn", "compensation")
        self.assertTrue({"SAF.conv_layer1.0.weight", "feature_editor.out.weight"} <= changed, changed)
        frozen = ("encoder.", "DIP.", "SAF.aff1d.", "SAF.condition_shift3.", "decoder.conv1.", "decoder.input.")
        allowed = ("SAF.aff1d.att.3", "SAF.aff1d.att2.3")  # begin as nothing
        wrong = {name for name in changed if name.startswith(frozen) and not name.startswith(allowed)}
        self.assertFalse(wrong)
        self.assertTrue(self.state("compensation")["average"]["edits.directions"].any())

    def test_crops_leave_the_directions_and_learn_plans(self):
        changed = self.changed("compensation", "crops")
        self.assertIn("edits.changes", changed)
        wrong = {name for name in changed if name.startswith(("encoder.", "DIP.", "SAF.aff1d.", "edits.directions"))}
        self.assertFalse(wrong)

    def test_finished_weights_are_learned_on(self):
        work = self.folder / "refined"
        work.mkdir()
        for name in ("faces.npy", "appearance.pt", "exemplars.pt"):
            (work / name).symlink_to(self.work / name)
        self.python("recipe.start", "--budget", "tiny", "--work", work, "--weights", self.out)
        begun = checkpoints.load(work / "autoencoder.pt")["average"]
        model, _, tensors = weights.load_model(self.out)
        for name, tensor in weights.model_tensors(model).items():
            if name != "latent_avg" and not name.endswith(".linear.bias"):  # the average moves from one to the other
                self.assertTrue(torch.equal(begun[name], tensor), name)
        self.assertTrue(torch.equal(begun["edits.layout"], tensors["plan.shape"]))
        for row, slider in enumerate(SLIDERS):
            self.assertTrue(torch.equal(begun["edits.directions"][row], tensors[f"directions.{slider.name}"]))
        for stage, steps in (("dipn", 8), ("crops", 8)):
            common = "--budget", "tiny", "--index", self.data / "index.csv", "--work", work, "--steps", steps
            self.python(f"recipe.stages.{stage}", *common)
        mapped, end = (checkpoints.load(work / f"{name}.pt")["average"] for name in ("dipn", "crops"))
        changed = {name for name, tensor in mapped.items() if not torch.equal(tensor, begun[name])}
        self.assertTrue(
            changed and all(name.startswith("DIP.") and "running" not in name for name in changed), changed
        )
        for name in changed:
            self.assertTrue(torch.equal(end[name], mapped[name]), name)
        self.assertTrue(torch.equal(end["edits.directions"], begun["edits.directions"]))

    def test_plans_of_a_finished_model_are_learned_alone(self):
        work = self.folder / "taught"
        work.mkdir()
        for name in ("faces.npy", "appearance.pt", "exemplars.pt"):
            (work / name).symlink_to(self.work / name)
        self.python("recipe.start", "--budget", "tiny", "--work", work, "--weights", self.out)
        common = "--budget", "tiny", "--index", self.data / "index.csv", "--work", work, "--steps", 8
        self.python("recipe.stages.crops", *common, "--plans", "age")
        begun, end = (checkpoints.load(work / f"{name}.pt")["average"] for name in ("autoencoder", "crops"))
        teachers = ("edits.covers", "edits.shape", "edits.shifts", "edits.layout")
        changed = {name for name in end if not torch.equal(end[name], begun[name]) and not name.startswith(teachers)}
        self.assertEqual(changed, {"edits.changes"})
        rows = (end["edits.changes"] != begun["edits.changes"]).flatten(1).any(1)
        self.assertEqual([slider.name for slider, learned in zip(SLIDERS, rows, strict=True) if learned], ["age"])

    # -- what the stages of edits lower

    def made(self, kind: type[Stage]) -> Stage:
        """A stage as its command makes it."""
        common = "--budget", "tiny", "--index", str(self.data / "index.csv"), "--work", str(self.work)
        arguments = parser("")
        kind.add_arguments(arguments)
        with unittest.mock.patch.object(sys, "argv", [kind.name, *common]):
            stage = kind(Job(kind.name, kind.needs, arguments))
        stage.average, stage.clock = stage.model, Clock(stage.job.workers, None, 100, step=99)
        stage.begin(1)
        return stage

    def assert_cancels(self, stage: Stage, picture):
        """What the last layer adds to every picture does not show in one that is seen through an edit."""
        bias = stage.model.decoder.to_rgbs[-1].bias
        (slope,) = torch.autograd.grad(picture.sum(), bias, retain_graph=True)
        self.assertLess(slope.abs().max(), 1e-3 * picture.numel())

    def test_compensation_learns_from_both_pictures_of_an_edit(self):
        stage, seen = self.made(Compensation), []

        def looked_at(out, *rest):
            seen.append(out)
            self.assert_cancels(stage, out[stage.rebuilt_of_edited :])
            return balanced(out, *rest)

        with unittest.mock.patch.object(compensation, "balanced", looked_at):
            stage.learn(*stage.draw(99))
        self.assertEqual(len(seen), 1)

    def test_crops_learn_from_both_pictures_of_an_edit(self):
        stage, seen = self.made(CropStage), []
        self.assertIn(stage.draw(99)[0], ("rebuilt", "edited"))  # makes the edits
        with unittest.mock.patch.object(stage, "compared", lambda kind, out, *rest: seen.append(out)):
            stage.edited()
        (out,) = seen
        self.assert_cancels(stage, out)

    def test_compensation_keeps_plain_reconstructions(self):
        stage = self.made(Compensation)
        before = stage.learn(*stage.draw(99))["kept"]
        with torch.no_grad():
            stage.model.decoder.to_rgbs[-1].bias += 0.2
        self.assertGreater(stage.learn(*stage.draw(99))["kept"], before + 0.2)

    def test_a_run_that_went_astray_goes_back(self):
        stage = self.made(Compensation)
        run = Run(stage, {"net": stage.model, **stage.optimisers})
        stage.job.state = self.folder / "astray.pt"
        scores = iter((25.0, 24.5, 23.0, float("nan")))
        stage.measure = lambda ids: {stage.guarded: next(scores)}
        run.restore({})
        run.checkpoint(measured=True)
        good = {name: tensor.clone() for name, tensor in stage.model.state_dict().items()}
        for slower in (1.0, 0.5, 0.25):
            stage.model.decoder.to_rgbs[-1].bias.data += 1
            run.checkpoint(measured=True)
            self.assertEqual(run.slower, slower)
            if slower == 1.0:
                good = {name: tensor.clone() for name, tensor in stage.model.state_dict().items()}
            for name, tensor in stage.model.state_dict().items():
                self.assertTrue(torch.equal(tensor, good[name]), name)

    def test_an_edit_moves_the_face_as_the_teacher_does(self):
        photos, landmarks = self.faces.images(self.val[:8]), self.editor.landmarks_of(self.val[:8])
        found = left(self.averaged("crops"), self.editor, photos, landmarks)
        self.assertEqual(list(found), [slider.name for slider in SLIDERS])
        for name in ("yaw", "pitch", "slim"):  # which do little else
            self.assertLess(found[name], 0.5, name)

    def test_two_workers_train_one_model(self):
        self.assertEqual(self.launched.result()["step"], 8)

    # -- the weights directory

    def test_the_manifest_says_what_the_sliders_say(self):
        manifest = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))
        entries = {entry["name"]: entry for entry in manifest["directions"]}
        self.assertEqual(list(entries), ABOUT["sliders"] + [component["name"] for component in ABOUT["components"]])
        for name in ABOUT["sliders"]:
            entry, slider = entries[name], by_name(name)
            self.assertEqual((entry["label"], entry["group"]), (slider.title, slider.group))
            self.assertEqual(tuple(entry["range"]), slider.ends)
            self.assertNotIn("folded", entry)
        for component in ABOUT["components"]:
            self.assertEqual(entries[component["name"]]["group"], COMPONENTS["group"])
            self.assertIs(entries[component["name"]]["folded"], True)
        shown = Exemplars(checkpoints.load(self.work / "exemplars.pt")).shown["smile"]
        self.assertEqual(entries["smile"]["shown"], {"points": [48, 54], "range": [*shown]})
        self.assertEqual(entries["age"]["turned"], [*by_name("age").turned])

    def test_the_exported_model_is_the_trained_one(self):
        model, manifest, tensors = weights.load_model(self.out)
        photos, landmarks = self.faces.images(self.val[:4]), self.editor.landmarks_of(self.val[:4])
        with torch.no_grad():
            theirs, ours = self.averaged("crops").invert(photos), model.invert(photos)
            torch.testing.assert_close(ours.reconstruction, theirs.reconstruction, atol=0.02, rtol=0)
            same, *_ = edit(model, manifest, tensors, ours, {"smile": 0.0}, landmarks)
            torch.testing.assert_close(same, ours.reconstruction, atol=0.02, rtol=0)
            turned, _, motion, cover = edit(model, manifest, tensors, ours, {"yaw": 1.5}, landmarks)
        self.assertEqual(motion.shape[:2], (4, 2))
        self.assertIsNone(cover)
        known = direction(manifest, "smile")["cover"]
        self.assertEqual(list(tensors[known["tensor"]].shape), [TINY.model.image_size] * 2)
        self.assertGreater((turned - ours.reconstruction).abs().mean(), 0.01)

    # -- measurements

    def test_the_report(self):
        log, text = self.reported.result()
        read = dict(re.findall(r"^(\w+) +correlation (\S+)$", log, re.M))
        self.assertEqual(list(read), [slider.name for slider in SLIDERS if slider.label])
        self.assertGreater(float(read["smile"]), 0.3)
        self.assertNotIn("nan", text)
        for name in ABOUT["sliders"]:
            self.assertRegex(text, rf"(?m)^\| {name} \| .*\d \|$")
        for sheet in ("report-edits.webp", "difficult.webp"):
            self.assertTrue((self.folder / sheet).exists())
        self.assertRegex(self.choices, r"(?m)^f32: \d+\.\d\d .*\nbf16: \d+\.\d\d .*\nfine detail left: 0\.\d")
        self.assertEqual(text.count(f"{bias.HEADING}\n"), 1)
        for title in ("Real portraits, held out", "Machine-made portraits, held out"):
            self.assertIn(f"### {title}\n", text)
        self.assertRegex(text, r"(?m)^\| all \| 12 \| \d+\.\d ± \d\.\d \|")

    def test_counts(self):
        self.assertRegex(self.python("measure.count", "--budget", "tiny"), r"inversion \d\.\d+ GMAC, edit \d\.\d+ to ")

    # -- a machine with a GPU, and back

    def test_the_chain_begins_from_what_was_carried(self):
        carried, work, out = self.delivered.result()
        self.assertRegex(carried, r"^\d+ of \d+ pictures in 2 parts")
        pictures = {path.name for path in (work / "pictures").iterdir()}
        self.assertTrue(any(name.startswith("london-0") for name in pictures))
        self.assertFalse(any(name.startswith("london-9") for name in pictures), "held out")
        for stage in SHARES:
            joined = self.folder / "joined.pt"
            pieces.join(out / stage, joined)
            average, found = checkpoints.load(work / f"{stage}.pt")["average"], checkpoints.load(joined)["average"]
            self.assertEqual(average.keys(), found.keys())
            for name, tensor in average.items():
                close = {"atol": 0.01, "rtol": 0.01, "msg": name}  # parameters travel in half precision
                torch.testing.assert_close(found[name].float(), tensor.float(), **close)
        self.assertTrue((out / "compensation.jpg").exists())
        self.assertTrue((out / "directions" / "pieces.json").exists())

    def test_the_chain_shares_what_is_left(self):
        until = self.folder / "deadline"
        until.write_text(str(time.time() + 60 * (10 + 3 * START)))
        given = {"budget": "tiny", "work": self.work, "out": self.folder, "until": until, "stages": [*SHARES]}
        chain = Chain(types.SimpleNamespace(**given))
        shares = [chain.minutes(stage) for stage in SHARES]
        self.assertAlmostEqual(shares[0], 10 * SHARES["autoencoder"] / math.fsum(SHARES.values()), delta=0.1)
        self.assertAlmostEqual(shares[2], 10 + 2 * START, delta=0.1)
        chain = Chain(types.SimpleNamespace(**given | {"stages": ["compensation"]}))
        self.assertAlmostEqual(chain.minutes("compensation"), 10 + 2 * START, delta=0.1)


if __name__ == "__main__":
    unittest.main()
