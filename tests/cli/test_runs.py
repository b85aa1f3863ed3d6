"""pipeline, run, schedule and daemon, with steps that are small shell commands."""

import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from terminal import on_terminal

TWO_STEPS = """\
pipeline: sums
params: {accuracy: 0.93, target: 0.9}
steps:
  train:
    command: [sh, -c, 'echo training; printf "{\\"accuracy\\": %s}" "$0" >"$CTCD_OUTPUTS"', "${params.accuracy}"]
    outputs: [accuracy]
  decide:
    decide: {metric: train.accuracy, threshold: "${params.target}"}
"""

FAILS = """\
pipeline: fails
steps:
  first:
    command: [sh, -c, 'echo going wrong >&2; exit 3']
    outputs: [x]
  second:
    command: ['true']
    inputs: {x: first.x}
"""

SLEEPS = """\
pipeline: sleeps
steps:
  wait:
    command: [sleep, '300']
"""


class Pipeline(support.HomeCase):
    home_in_a_blank = True

    def setUp(self):
        super().setUp()
        self.file = self.home.file("sums.yaml", TWO_STEPS)

    def test_run(self):
        said = self.home.run("pipeline", "run", self.file)
        lines = said.out.splitlines()
        self.assertRegex(lines[0], r"\ASTEP +STATUS +DURATION +DECISION +REASONS\Z")
        self.assertRegex(lines[1], r"\Atrain +completed +\d+\.\d s +- +-\Z")
        self.assertRegex(lines[2], r"\Adecide +completed +\d+\.\d s +promote +accuracy 0\.93 >= 0\.9")
        self.assertEqual(len(lines), 3)
        for step in ("train", "decide"):
            self.assertIn(step, said.err, "progress in plain lines")
        self.assertNotIn("\033", said.err)
        self.assertNotIn("\r", said.err)

    def test_parameters(self):
        run = self.home.json("pipeline", "run", self.file, "--param", "accuracy=0.5", "--param=target=0.4")
        self.assertEqual(run["status"], "completed")
        self.assertIn("0.5", str(run))
        said = self.home.run("pipeline", "run", self.file, "--param", "acuracy=0.5", status=2)
        self.assertIn("accuracy", said.err.split("next:")[1])
        self.home.run("pipeline", "run", self.file, "--param", "accuracy", status=2)

    def test_a_failed_step(self):
        path = self.home.file("fails.yaml", FAILS)
        said = self.home.run("pipeline", "run", path, status=1)
        self.assertRegex(said.out, r"(?m)^first +failed ")
        self.assertRegex(said.out, r"(?m)^second +skipped ")
        self.assertIn("ctcd: ", said.err)
        self.assertIn("exit status 3", said.err)
        self.assertIn("going wrong", said.err)

    def test_on_a_terminal(self):
        said = on_terminal(self.home, "pipeline", "run", self.file)
        self.assertEqual(said.status, 0, said)
        table = said.out.rpartition("\033[K")[2]
        self.assertRegex(table, r"\A +Steps of sums-\S+ +\n┏━")
        self.assertIn("│ promote  │", table)

    def test_files(self):
        self.assertIn("2 steps", self.home.run("pipeline", "validate", self.file).out)
        self.assertEqual(self.home.run("pipeline", "describe", self.file).out,
                         "STEP    KIND\ntrain   command\ndecide  decide\n")
        bad = self.home.file("bad.yaml", TWO_STEPS.replace("threshold", "treshold"))
        said = self.home.run("pipeline", "validate", bad, status=2)
        self.assertIn("bad.yaml", said.err)
        self.assertIn("threshold", said.err)
        self.home.run("pipeline", "validate", self.file + ".not", status=3)
        self.assertFalse(os.path.exists(self.home.path), "a home was made")

    def test_errors_name_their_place(self):
        for line, place, hint in (
                ("{metric: train.acuracy, threshold: 0.9}", "5:22", "did you mean train.accuracy?"),
                ("{metric: train.accuracy, treshold: 0.9}", "5:38", "did you mean \"threshold\"?"),
                ("{metric: train.accuracy, threshold: \"${params.no}\"}", "5:49", "no parameter"),
                ("{metric: train.accuracy, threshold: 0.9}\n    outputs: [x]", "6:5", "it may have: decide, after"),
                ("{metric: train.accuracy, threshold: 0.9}\n    after: [trian]", "6:12", "did you mean \"train\"?")):
            file = self.home.file("bad.yaml", "pipeline: p\nsteps:\n"
                                  "  train: {command: [\"true\"], outputs: [accuracy]}\n"
                                  "  decide:\n    decide: " + line + "\n")
            said = self.home.run("pipeline", "validate", file, status=2)
            self.assertIn("bad.yaml:%s: " % place, said.err)
            self.assertIn(hint, said.err)

    def test_list(self):
        self.home.run("pipeline", "run", self.file)
        self.assertEqual(self.home.run("pipeline", "list").out, "NAME  STEPS\nsums  2\n")

    def test_a_signal_cancels_the_run(self):
        path = self.home.file("sleeps.yaml", SLEEPS)
        process = self.home.start("pipeline", "run", path)
        self.assertTrue(support.wait_for(lambda: "sleep 300" in str(self.home.processes().values())))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(support.SAFETY), 128 + signal.SIGTERM)
        self.assertEqual([run["status"] for run in self.home.json("run", "list")], ["canceled"])

    def test_a_timeout_cancels_the_run(self):
        path = self.home.file("sleeps.yaml", SLEEPS)
        self.home.run("pipeline", "run", path, "--timeout", "1s", status=5)


class Runs(support.HomeCase):
    def setUp(self):
        super().setUp()
        path = self.home.file("sums.yaml", TWO_STEPS)
        self.run_record = self.home.json("pipeline", "run", path)
        self.home.run("pipeline", "run", path, "--param", "accuracy=0.1")

    def test_list(self):
        lines = self.home.run("run", "list").out.splitlines()
        self.assertEqual(lines[0].split(), ["STATUS", "NAME", "SCHEDULE", "NOMINAL", "DURATION",
                                            "DECISION"])
        self.assertEqual([line.split()[-1] for line in lines[1:]], ["reject", "promote"])
        self.assertEqual(len(self.home.run("run", "list", "--limit", "1", "-o", "name").out.split()), 1)
        self.assertEqual(self.home.json("run", "list", "--pipeline", "other"), [])
        self.home.run("run", "list", "--limit", "none", status=2)

    def test_tables_in_a_window(self):
        for args, has in ((("run", "list"), "│ promote  ┃"),
                          (("run", "describe", self.run_record["name"]), "│ promote  │")):
            said = on_terminal(self.home, *args, columns=80)
            lines = said.out.splitlines()
            self.assertLessEqual(max(len(line) for line in lines), 80, said.out)
            self.assertIn(has, said.out)
            self.assertIn(" completed ", said.out, "no word is cut")
            self.assertIn(self.run_record["name"], said.out)
        self.assertNotIn("SCHEDULE", on_terminal(self.home, "run", "list", columns=80).out)
        self.assertIn("SCHEDULE", on_terminal(self.home, "run", "list", columns=120).out)

    def test_describe(self):
        name, uuid = self.run_record["name"], self.run_record["uuid"]
        said = self.home.run("run", "describe", name).out
        self.assertEqual(said, self.home.run("run", "describe", uuid).out)
        self.assertEqual(said, self.home.run("run", "describe", uuid[:12]).out)
        self.assertRegex(said, r"(?m)^STATUS +completed$")
        self.assertRegex(said, r"(?m)^decide +completed .*promote")
        self.assertEqual(self.home.json("run", "describe", name)["uuid"], uuid)
        self.home.run("run", "describe", "nosuch", status=3)

    def test_logs(self):
        name = self.run_record["name"]
        self.assertEqual(self.home.run("run", "logs", name, "--step", "train").out, "training\n")
        self.home.run("run", "logs", name, "--step", "trian", status=3)
        self.home.run("run", "logs", "nosuch", status=3)


class Schedules(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.file = self.home.file(
            "sums.yaml", TWO_STEPS + "schedule: {interval: 1s, start: now, end: +2s, catchup: all, "
                                     "overlap: buffer_all}\n")

    def test_create_list_describe_delete(self):
        self.assertIn("sums", self.home.run("schedule", "create", self.file).out)
        self.home.run("schedule", "create", self.file, status=6)
        self.home.run("schedule", "create", self.file, "--name", "again", "--param", "target=0.1")
        self.assertEqual(self.home.run("schedule", "list", "-o", "name").out, "again\nsums\n")
        lines = self.home.run("schedule", "list").out.splitlines()
        self.assertRegex(lines[1], r"\Aagain +sums +1s +\S+Z +\S+Z +all +buffer_all +0 +0\Z")
        self.assertRegex(self.home.run("schedule", "describe", "sums").out, r"(?m)^EVERY +1s$")
        self.assertEqual(self.home.run("schedule", "delete", "again").out, "")
        self.home.run("schedule", "delete", "again", status=3)
        self.home.run("schedule", "describe", "again", status=3)

    def test_a_file_without_a_schedule(self):
        path = self.home.file("plain.yaml", TWO_STEPS)
        said = self.home.run("schedule", "create", path, status=2)
        self.assertIn("schedule: {", said.err)

    def test_daemon_until_idle(self):
        self.home.run("schedule", "create", self.file)
        said = self.home.run("daemon", "--until-idle")
        self.assertEqual(said.out, "")
        self.assertRegex(said.err, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ .*train")
        runs = self.home.json("run", "list", "--schedule", "sums")
        self.assertEqual([run["status"] for run in runs], ["completed", "completed"])
        self.assertRegex(self.home.run("schedule", "describe", "sums").out, r"(?m)^RUNS +2$")

    def test_daemon_ends_by_a_signal(self):
        endless = self.home.file("endless.yaml", SLEEPS + "schedule: {interval: 1s}\n")
        self.home.run("schedule", "create", endless)
        for number, args, wanted in [(signal.SIGTERM, (), 0), (signal.SIGTERM, ("--until-idle",), 143)]:
            process = self.home.start("daemon", *args)
            self.assertTrue(support.wait_for(lambda: "sleep 300" in str(self.home.processes().values())))
            process.send_signal(number)
            self.assertEqual(process.wait(support.SAFETY), wanted)
            self.assertTrue(support.wait_for(lambda: not self.home.processes(), 15))

    def test_only_one_daemon(self):
        endless = self.home.file("endless.yaml", SLEEPS + "schedule: {interval: 1s}\n")
        self.home.run("schedule", "create", endless)
        self.home.start("daemon")
        self.assertTrue(support.wait_for(lambda: "sleep 300" in str(self.home.processes().values())))
        self.home.run("daemon", status=6)


if __name__ == "__main__":
    unittest.main()
