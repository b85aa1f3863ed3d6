"""See fuzzing.py; the target is in fuzz_answer.c."""

import unittest

import fuzzing


class FuzzAnswer(fuzzing.Target, unittest.TestCase):
    target = "answer"


if __name__ == "__main__":
    unittest.main()
