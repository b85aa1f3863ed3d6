"""The digits example's data: do the verdicts that it tells of follow from the images, whichever are
held out and whichever batch is spoilt?"""

import os
import sys
import unittest

SOURCE = os.environ.get("TEST_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "examples", "digits"))

import data
from train import learn

SEEDS = range(21)
THRESHOLD = 0.90
MIN_CHANGE = 0.003  # the pipeline asks for 0.002; half an image more, so that no rounding matters


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.good = {seed: [cls.accuracy(seed, batch, 0) for batch in (1, 2, 3, 4)] for seed in SEEDS}

    @staticmethod
    def accuracy(seed, batches, spoilt):
        return learn(*data.training_set(seed, batches, spoilt)).score(*data.held_out(seed))

    def test_each_batch_makes_the_model_better(self):
        for seed, accuracies in self.good.items():
            with self.subTest(seed=seed):
                self.assertGreaterEqual(accuracies[0], THRESHOLD)
                for before, after in zip(accuracies, accuracies[1:]):
                    self.assertGreater(after, before + MIN_CHANGE)

    def test_a_spoilt_batch_makes_it_worse(self):
        for seed in SEEDS:
            for spoilt in (1, 2, 3, 4):
                with self.subTest(seed=seed, spoilt=spoilt):
                    before = self.good[seed][spoilt - 2] if spoilt > 1 else THRESHOLD
                    self.assertLess(self.accuracy(seed, spoilt, spoilt), before - 0.01)

    def test_batches_come_by_the_clock(self):
        start = "2026-01-01T00:00:00Z"
        for now, batches in (("2026-01-01T00:00:00Z", 1), ("2026-01-01T00:00:14.999Z", 1),
                             ("2026-01-01T00:00:15Z", 2), ("2026-01-01T01:00:46+01:00", 4),
                             ("2025-12-31T23:59:59Z", 1)):
            self.assertEqual(data.batches_arrived(start, now), batches, now)
        self.assertIsNone(data.batches_arrived("", start))

    def test_no_image_is_both_held_out_and_trained_on(self):
        held = {image.tobytes() for image in data.held_out(3)[0]}
        images, _ = data.training_set(3, None)
        self.assertEqual(len(images) + data.HELD_OUT, 1797)
        self.assertFalse(held & {image.tobytes() for image in images})
        self.assertEqual([len(data.training_set(3, n)[1]) for n in (1, 2, 3, 4, 5, 99)],
                         [120, 240, 480, 960, 1297, 1297])


if __name__ == "__main__":
    unittest.main()
