"""events: what is told of runs, deploys and schedules, once and while it happens."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support
from terminal import on_terminal

PIPELINE = """\
pipeline: sums
params: {accuracy: 0.93, model: none}
steps:
  train:
    command: [sh, -c, 'printf "{\\"accuracy\\": %s, \\"model\\": \\"%s\\"}" "$0" "$1" >"$CTCD_OUTPUTS"', "${params.accuracy}", "${params.model}"]
    outputs: [accuracy, model]
  decide:
    decide: {metric: train.accuracy, threshold: 0.9, deploys: deploy}
  deploy:
    when: decide
    deploy: {model_name: sums, model_uri: train.model}
"""

FAILS = """\
pipeline: fails
steps:
  wrong:
    command: [sh, -c, 'exit 3']
    retries: {max: 1, delay: 10ms}
schedule: {interval: 24h, start: 2026-01-01T00:00:00Z, end: +48h}
"""


class Reader:
    """The lines that a process prints, each waited for by name."""

    def __init__(self, process):
        self.process, self.seen, self.rest = process, [], b""

    def wait(self, pattern):
        """The first line from here on that matches."""
        end = time.monotonic() + support.SAFETY
        fd = self.process.stdout.fileno()
        while time.monotonic() < end:
            while self.seen:
                line = self.seen.pop(0)
                if re.search(pattern, line):
                    return line
            if not select.select([fd], [], [], 1.0)[0]:
                continue
            part = os.read(fd, 65536)
            if not part:
                break
            *lines, self.rest = (self.rest + part).split(b"\n")
            self.seen += [line.decode() for line in lines]
        raise AssertionError("no line with %s" % pattern)


class Events(StandInCase):
    def run_pipeline(self, accuracy, status=0):
        path = self.home.file("sums.yaml", PIPELINE)
        return self.home.json("pipeline", "run", path, "--param", "accuracy=%s" % accuracy,
                              "--param", "model=" + self.model(), status=status)

    def kinds(self, *args):
        return [event["kind"] for event in self.home.json("events", *args)]

    def test_a_run_and_its_service(self):
        run = self.run_pipeline(0.93)
        uuid = self.uuid()
        self.assertEqual(self.kinds("--run", run["name"]),
                         ["run_started", "decision", "deploy_begun", "deploy_switched", "run_completed"])
        self.run_pipeline(0.5)
        self.assertEqual(self.kinds(), ["run_started", "decision", "deploy_begun", "deploy_switched",
                                        "run_completed", "run_started", "decision", "run_completed"])
        decisions = [e for e in self.home.json("events") if e["kind"] == "decision"]
        self.assertEqual([e["data"]["verdict"] for e in decisions], ["promote", "reject"])
        self.assertIn("accuracy 0.5 is not >= 0.9", decisions[1]["message"])
        self.home.run("served-models", "stop", uuid)
        self.home.run("served-models", "start", uuid)
        self.home.run("served-models", "delete", uuid)
        expected = ["deploy_begun", "deploy_switched", "service_stopped", "service_started", "service_deleted"]
        self.assertEqual(self.kinds("--service", uuid[:8]), expected, "of a service that is gone")
        self.assertEqual(self.kinds("--limit", "2"), expected[-2:])
        self.home.run("events", "--service", "ffffffff", status=3)
        self.home.run("events", "--run", "nosuch", status=3)
        self.home.run("events", "--limit", "none", status=2)

    def test_failures(self):
        self.deploy(self.model(1, "exit 1"), status=1)
        self.assertEqual(self.kinds(), ["deploy_begun", "deploy_failed"])
        event = self.home.json("events")[1]
        self.assertEqual((event["subject_kind"], event["subject"], event["data"]["revision"]),
                         ("service", self.uuid(), 1))
        self.assertIn("exit status 1", event["message"])
        path = self.home.file("fails.yaml", FAILS)
        self.home.run("pipeline", "run", path, status=1)
        said = self.home.json("events")[2:]
        self.assertEqual([e["kind"] for e in said], ["run_started", "step_failed", "step_failed", "run_failed"])
        self.assertEqual([e["message"].split(":")[0] for e in said[1:3]],
                         ["step wrong, attempt 1", "step wrong, attempt 2"])

    def test_schedules(self):
        self.home.run("schedule", "create", self.home.file("fails.yaml", FAILS))
        self.home.run("daemon", "--until-idle")
        said = self.kinds()
        self.assertEqual(said[0], "schedule_created")
        self.assertEqual(sorted(said[1:4]), ["fire_dropped", "run_claimed", "run_started"])
        self.assertEqual(said[-1], "run_failed")
        self.home.run("schedule", "delete", "fails")
        self.assertEqual(self.kinds("-n", "1"), ["schedule_deleted"])

    def test_forms(self):
        self.run_pipeline(0.5)
        lines = self.home.run("events").out.splitlines()
        self.assertRegex(lines[0], r"\AWHEN +EVENT +WHAT\Z")
        self.assertRegex(lines[2], r"\A20\S+:\d\dZ  decision +sums-\S+: reject: accuracy 0\.5 is not >= 0\.9")
        self.assertEqual(self.home.run("events", "-o", "name").out, "1\n2\n3\n")
        self.assertIn("kind: decision\n", self.home.run("events", "-o", "yaml").out)
        said = on_terminal(self.home, "events", columns=80)
        self.assertEqual(said.status, 0, said)
        table = said.out.splitlines()
        self.assertEqual({len(line) for line in table}, {80}, "made to fit\n" + said.out)
        self.assertIn("┃ WHEN ", table[1])

    def follow(self, *args):
        process = self.home.start("events", "--follow", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process, Reader(process)

    def test_follow(self):
        first = self.run_pipeline(0.5)
        process, lines = self.follow()
        line = lines.wait(r"run completed .*%s" % first["name"])
        self.assertRegex(line, r"\A20\S+Z  run completed      \S+\Z")
        second = self.run_pipeline(0.4)
        lines.wait(r"run started .*%s" % second["name"])
        lines.wait(r"decision .*%s: reject: accuracy 0\.4 is not >= 0\.9" % second["name"])
        lines.wait(r"run completed .*%s" % second["name"])
        self.assertEqual(lines.seen, [], "each once")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_follow_as_json(self):
        run = self.run_pipeline(0.93)
        process, lines = self.follow("-o", "json", "--limit", "1", "--service", self.uuid())
        self.assertEqual(json.loads(lines.wait("."))["kind"], "deploy_switched")
        self.run_pipeline(0.5)
        self.run_pipeline(0.95)
        event = json.loads(lines.wait("."))
        self.assertEqual((event["kind"], event["data"]["revision"]), ("deploy_begun", 2))
        self.assertNotEqual(event["data"]["run"], run["name"])
        self.assertEqual(json.loads(lines.wait("."))["kind"], "deploy_switched")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.SAFETY), 0)

    def test_follow_ends_when_nobody_reads(self):
        self.run_pipeline(0.5)
        process, lines = self.follow()
        lines.wait("run completed")
        process.stdout.close()
        self.assertNotEqual(process.wait(support.SAFETY), None)

    def test_following_is_cheap(self):
        self.run_pipeline(0.5)
        process, lines = self.follow()
        lines.wait("run completed")

        def ticks():
            with open("/proc/%d/stat" % process.pid) as f:
                words = f.read().rpartition(")")[2].split()
            return int(words[11]) + int(words[12])

        begun, spent = time.monotonic(), ticks()
        self.run_pipeline(0.4)  # as long as this takes
        lines.wait("run completed")
        share = (ticks() - spent) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun)
        print("following took %.1f %% of a processor" % (100 * share))
        self.assertLess(share, 0.25)
        process.terminate()


if __name__ == "__main__":
    unittest.main()
