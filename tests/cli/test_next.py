"""`ctcd schedule next`: instants on lines, without a home."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support


class Next(support.HomeCase):
    def lines(self, *args):
        said = self.home.run("schedule", "next", *args)
        self.assertEqual(said.err, "")
        self.assertFalse(os.path.exists(self.home.path), "a home was made")
        return said.out.splitlines()

    def minutes(self, *which):
        return ["2026-01-01T00:%02d:00Z" % m for m in which]

    def test_the_seed(self):
        """Every minute for ten minutes is exactly ten, however many are asked for."""
        window = ("--interval", "60s", "--start", "2026-01-01T00:00:00Z", "--end", "2026-01-01T00:10:00Z")
        self.assertEqual(self.lines(*window), self.minutes(*range(10)))
        self.assertEqual(self.lines(*window, "--count", "100"), self.minutes(*range(10)))
        self.assertEqual(self.lines(*window, "--count", "3"), self.minutes(0, 1, 2))

    def test_end_counts_from_the_start(self):
        self.assertEqual(self.lines("--interval=1m", "--start=2026-01-01T00:00:00Z", "--end=+3m"),
                         self.minutes(0, 1, 2))

    def test_after_is_exclusive(self):
        window = ("--interval", "60", "--start", "2026-01-01T00:00:00Z", "--end", "+5m")
        self.assertEqual(self.lines(*window, "--after", "2026-01-01T00:02:00Z"), self.minutes(3, 4))
        self.assertEqual(self.lines(*window, "--after", "2026-01-01T00:02:30Z"), self.minutes(3, 4))
        self.assertEqual(self.lines(*window, "--after", "2026-01-01T00:04:00Z"), [])

    def test_without_a_start(self):
        """It counts from --after, which is not a fire itself; without one from now."""
        self.assertEqual(self.lines("--interval=1m", "--after", "2026-01-01T00:00:00Z", "-n", "2"),
                         self.minutes(1, 2))
        now = self.lines("--interval", "1h")
        self.assertEqual(len(now), 10)
        for line in now:
            self.assertRegex(line, r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")

    def test_milliseconds_are_shown_where_there_are_any(self):
        self.assertEqual(self.lines("--interval=1s", "--start=2026-01-01T00:00:00.250Z", "--count=2"),
                         ["2026-01-01T00:00:00.250Z", "2026-01-01T00:00:01.250Z"])

    def test_zones(self):
        window = ("--interval", "60s", "--start", "2026-01-01T01:00:00+01:00", "-n", "1")
        for zone in ("UTC", "Z"):
            self.assertEqual(self.lines(*window, "--timezone", zone), self.minutes(0))
        said = self.home.run("schedule", "next", *window, "--timezone", "Europe/Paris", status=2)
        self.assertIn("Europe/Paris", said.err)

    def test_refused(self):
        for args, word in [((), "--interval"), (("--interval", "soon"), "soon"),
                           (("--interval", "0"), ""), (("--interval", "1m", "--count", "0"), "--count"),
                           (("--interval", "1m", "--count", "many"), "many"),
                           (("--interval", "1m", "--start", "yesterday"), "yesterday"),
                           (("--interval", "1m", "--start", "2026-01-01T00:00:00Z", "--end",
                             "2025-01-01T00:00:00Z"), "end"),
                           (("--interval", "1m", "--cron", "* * * * *"), "--cron")]:
            with self.subTest(args=args):
                said = self.home.run("schedule", "next", *args, status=2)
                self.assertIn(word, said.err)
                self.assertEqual(said.out, "")


if __name__ == "__main__":
    unittest.main()
