"""See fuzzing.py; the target is in fuzz_model.c."""

import unittest

import fuzzing


class FuzzModel(fuzzing.Target, unittest.TestCase):
    target = "model"


if __name__ == "__main__":
    unittest.main()
