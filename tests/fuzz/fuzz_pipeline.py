"""See fuzzing.py; the target is in fuzz_pipeline.c."""

import unittest

import fuzzing


class FuzzPipeline(fuzzing.Target, unittest.TestCase):
    target = "pipeline"


if __name__ == "__main__":
    unittest.main()
