"""metrics: numbers for Prometheus, read as its text format says."""

import os
import re
import stat
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

PIPELINE = """\
pipeline: sums
params: {accuracy: 0.93}
steps:
  train:
    command: [sh, -c, 'printf "{\\"accuracy\\": %s}" "$0" >"$CTCD_OUTPUTS"', "${params.accuracy}"]
    outputs: [accuracy]
  decide:
    decide: {metric: train.accuracy, threshold: 0.9}
"""
FAILS = """\
pipeline: fails
steps:
  s:
    command: [sh, -c, 'exit 3']
schedule: {interval: 24h, start: 2026-01-01T00:00:00Z, end: +72h}
"""
HOSTILE = 'a"b\\c'


def read(text):
    """{(name, ((label, value), ...)): number}; insists on HELP, TYPE and one block for each family."""
    found, family, seen = {}, None, []
    for line in text.splitlines():
        head = re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line)
        if head and head[1] == "HELP":
            family = head[2]
            assert family not in seen, "twice: " + family
            seen.append(family)
        elif head:
            assert head[2] == family and head[3] in ("gauge", "counter"), line
        else:
            sample = re.fullmatch(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([\d.]+)', line)
            assert sample and sample[1] == family, line
            labels = tuple((name, re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m[1], m[1]), value)) for name, value in
                           re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or ""))
            assert (family, labels) not in found, "twice: " + line
            found[family, labels] = float(sample[3])
    assert text.endswith("\n")
    return found


class Metrics(StandInCase):
    def test_numbers(self):
        sums = self.home.file("sums.yaml", PIPELINE)
        begun = time.time()
        for accuracy in (0.95, 0.5, 0.4):
            self.home.run("pipeline", "run", sums, "--param", "accuracy=%s" % accuracy)
        self.home.run("schedule", "create", self.home.file("fails.yaml", FAILS), "--name", "nightly")
        self.home.run("daemon", "--until-idle")
        self.deploy(self.model(), name=HOSTILE)
        self.deploy(self.model(), name="stopped")
        stopped = self.home.json("served-models", "list", "--model", "stopped")[0]["uuid"]
        self.home.run("served-models", "stop", stopped)

        found = read(self.home.run("metrics").out)
        self.assertEqual({labels[1][1]: n for (name, labels), n in found.items()
                          if name == "ctcd_runs" and labels[0] == ("pipeline", "sums")},
                         {"pending": 0, "running": 0, "completed": 3, "failed": 0, "canceled": 0, "abandoned": 0, "interrupted": 0})
        self.assertEqual(found["ctcd_runs", (("pipeline", "fails"), ("status", "failed"))], 1)
        self.assertEqual({labels[1][1]: n for (name, labels), n in found.items()
                          if name == "ctcd_decisions" and labels[0] == ("pipeline", "sums")},
                         {"promote": 1, "reject": 2, "inconclusive": 0})
        last = found["ctcd_last_success_timestamp_seconds", (("pipeline", "sums"),)]
        self.assertTrue(begun <= last <= time.time(), last)
        self.assertNotIn(("ctcd_last_success_timestamp_seconds", (("pipeline", "fails"),)), found)
        schedule = (("schedule", "nightly"),)
        self.assertEqual(found["ctcd_schedule_fires_total", schedule], 1)
        self.assertEqual(found["ctcd_schedule_drops_total", schedule], 2)
        self.assertEqual({labels[0][1]: n for (name, labels), n in found.items() if name == "ctcd_services" and n},
                         {"active": 1, "inactive": 1})
        up = {labels[1][1]: n for (name, labels), n in found.items() if name == "ctcd_service_up"}
        self.assertEqual(up, {HOSTILE: 1, "stopped": 0})
        self.assertLessEqual(abs(found["ctcd_metrics_timestamp_seconds", ()] - time.time()), support.SAFETY)

    def test_the_file(self):
        path = self.home.file("ctcd.prom", "the one before")
        before = os.stat(path).st_ino
        said = self.home.run("metrics", "--output", path)
        self.assertEqual((said.out, said.err), ("", ""))
        with open(path) as f:
            self.assertEqual(read(f.read())["ctcd_services", (("state", "active"),)], 0)
        self.assertNotEqual(os.stat(path).st_ino, before, "moved into its place")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644, "for the collector's eyes, too")
        self.assertEqual([n for n in os.listdir(self.home.folder) if n.startswith("ctcd.prom")], ["ctcd.prom"])
        self.home.run("metrics", "-o", os.path.join(self.home.folder, "no", "ctcd.prom"), status=3)
        self.assertIn("No space left", self.home.run("metrics", "-o", "/dev/full", status=1).err)


if __name__ == "__main__":
    unittest.main()
