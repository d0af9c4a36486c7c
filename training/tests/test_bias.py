"""Skin tone, groups and chance, on colours and numbers made up."""

from __future__ import annotations

import math
import unittest

import numpy as np

from ..measure import bias, skin
from .made_faces import Person

# A skin of each tone, as bytes of sRGB.
SKINS = {
    "very light": (246, 224, 210),
    "light": (222, 178, 144),
    "intermediate": (205, 160, 125),
    "tan": (182, 134, 100),
    "brown": (128, 88, 64),
    "dark": (62, 42, 32),
}


class Tone(unittest.TestCase):
    def test_cielab(self):
        known = {
            (255, 255, 255): (100, 0, 0),
            (0, 0, 0): (0, 0, 0),
            (255, 0, 0): (53.24, 80.09, 67.2),
            (0, 0, 255): (32.3, 79.19, -107.86),
        }
        found = skin.cielab(np.array([*known], np.uint8))
        np.testing.assert_allclose(found, [*known.values()], atol=0.02)

    def test_typology_angle(self):
        labs = np.array([(70.0, 9.0, 20.0), (50.0, 9.0, 20.0), (30.0, 9.0, 20.0)])
        np.testing.assert_allclose(skin.typology_angle(labs), (45, 0, -45))

    def test_a_tone_begins_above_its_bound(self):
        angles = (80, 55.1, 55, 41.1, 41, 28.1, 28, 10.1, 10, -29.9, -30, -80)
        self.assertEqual([skin.tone_of(angle) for angle in angles], np.repeat(skin.TONES, 2).tolist())

    def test_skins_of_all_tones(self):
        for tone, colour in SKINS.items():
            self.assertEqual(skin.tone_of(skin.typology_angle(skin.cielab(colour))), tone)

    def test_skin_is_found_in_a_drawn_face(self):
        for colour in SKINS.values():
            rng = np.random.default_rng(0)
            person = Person.drawn(rng, skin=colour, age=20.0, glasses=1.0, yaw=0.1, pitch=0.0)
            lab = skin.cielab(np.asarray(person.picture(256, rng)))
            lab[100:110, 80:120] = (100, 0, 0)  # a highlight
            found = np.median(lab[skin.skin_of(lab, person.landmarks())], 0)
            np.testing.assert_allclose(found, skin.cielab(colour), atol=3)


class Groups(unittest.TestCase):
    def test_ages(self):
        years = (12, 29.9, 30, 39.9, 40, 49.9, 50, 90)
        self.assertEqual([skin.age_group(year) for year in years], np.repeat(skin.AGES, 2).tolist())
        self.assertEqual(skin.age_group(math.nan), "")

    def test_chance(self):
        rng = np.random.default_rng(0)
        sources = np.repeat(["a", "b"], 40)
        groups = np.where(rng.random(80) < np.where(sources == "a", 0.8, 0.2), "x", "y")
        noise = rng.normal(0, 1, 80)
        by_source = noise + 5 * (sources == "a")  # tells the groups apart by their sources only
        self.assertGreater(bias.chance(by_source, groups, sources, rng), 0.05)
        self.assertLess(bias.chance(by_source + 2 * (groups == "x"), groups, sources, rng), 0.001)

    def test_what_is_expected(self):
        rng = np.random.default_rng(0)
        causes, sources = rng.normal(0, 1, (60, 2)), np.repeat(["a", "b"], 30)
        rest = np.tile([1.0, -1.0], 30)
        found = bias.beyond_expected(2 * causes[:, 0] - causes[:, 1] + 3 * (sources == "b") + rest, causes, sources)
        self.assertGreater(np.corrcoef(found, rest)[0, 1], 0.95)
        np.testing.assert_allclose(found @ causes, 0, atol=1e-9)

    def test_many_comparisons(self):
        self.assertEqual(bias.beyond_chance({"a": 0.001, "b": 0.02, "c": 0.04}), {"a", "b", "c"})
        self.assertEqual(bias.beyond_chance({"a": 0.001, "b": 0.03, "c": 0.04}), {"a"})

    def test_a_section_takes_the_place_of_an_older_one(self):
        section = f"{bias.HEADING}\n\nnew\n"
        report = bias.placed("# Report\n\nText\n", f"{bias.HEADING}\n\nold\n")
        self.assertEqual(bias.placed(report, section), f"# Report\n\nText\n\n{section}")


if __name__ == "__main__":
    unittest.main()
