"""See fuzzing.py; the target is in fuzz_cron.c."""

import unittest

import fuzzing


class FuzzCron(fuzzing.Target, unittest.TestCase):
    target = "cron"


if __name__ == "__main__":
    unittest.main()
