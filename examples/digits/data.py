"""The images of the example: scikit-learn's bundled 1,797 handwritten digits, 8 x 8 pixels each, which
arrive in batches. Read by train.py, check.py and demo.py.

500 images are held out, to measure models with. Of the others, 120 are there at the start, and every
15 seconds a batch comes that doubles what there is: 120, 240, 480, 960, and then all 1,297.
"""

import datetime
import functools

import numpy
from sklearn.datasets import load_digits

HELD_OUT = 500
FIRST_BATCH = 120
BATCH_SECONDS = 15


@functools.lru_cache(maxsize=1)
def _images():
    return load_digits(return_X_y=True)


def _shuffled(seed):
    images, labels = _images()
    order = numpy.random.default_rng(seed).permutation(len(labels))
    return images[order], labels[order]


def held_out(seed):
    """Images and labels that no model is trained on."""
    images, labels = _shuffled(seed)
    return images[:HELD_OUT], labels[:HELD_OUT]


def batches_arrived(start, now):
    """How many batches have come from start to now, both RFC 3339; no start: all."""
    if not start:
        return None
    passed = (datetime.datetime.fromisoformat(now.replace("Z", "+00:00"))
              - datetime.datetime.fromisoformat(start.replace("Z", "+00:00"))).total_seconds()
    return 1 + max(0, int(passed // BATCH_SECONDS))


def training_set(seed, batches, spoilt_batch=0):
    """Images and labels of the first batches (None: of all).

    While the spoilt batch is the newest one, its labels have slipped by one row: each image has the
    label of its neighbour, as when a column is pasted one cell too low. Once the next batch is there,
    the slip has been noticed and corrected.
    """
    images, labels = _shuffled(seed)
    images, labels = images[HELD_OUT:], labels[HELD_OUT:].copy()
    if batches is None:
        return images, labels
    count = min(len(labels), FIRST_BATCH << min(batches - 1, 8))
    images, labels = images[:count], labels[:count]
    if batches == spoilt_batch:
        before = 0 if batches == 1 else min(count, FIRST_BATCH << min(batches - 2, 8))
        labels[before:] = numpy.roll(labels[before:], 1)
    return images, labels
