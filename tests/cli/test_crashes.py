"""kill -9 of the daemon at any instant, and a restart with the clock held: each nominal time has its run once,
each attempt of a step was started at most once, all of it ends, and nothing is left running."""

import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from edges import EdgeSweeps
from scheduling import ENDED_WELL, KILL_AT, KILLED, MINUTE, SchedulingCase
from stand_in import StandInCase

TEN = range(10)
MOST_EDGES = 5000  # a sweep that gets there would not end by itself
BUFFERED = "interval: 60s, start: now, end: +10m, catchup: all, overlap: buffer_all"


class EdgeCase(SchedulingCase):
    """Killed at its k-th durable edge (tests/programs/kill-at.c says what is one)."""

    def killed_at(self, edge):
        """Runs the daemon to its end, or to that edge. -> whether it was killed"""
        argv = [KILL_AT, "-w", str(edge), self.home.path, self.home.ctcd, "daemon", "--until-idle"]
        done = subprocess.run(argv, env=self.home.env, cwd=self.home.folder, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, encoding="utf-8", timeout=support.SAFETY)
        self.assertIn(done.returncode, (KILLED, ENDED_WELL), done.stderr)
        return done.returncode == KILLED

    steps = 3

    def pipeline_steps(self):
        return (self.step("train", self.OUTPUT, "outputs: [x]")
                + "  decide:\n    decide: {metric: train.x, threshold: 0.5}\n"
                + self.step("after", "true", "inputs: {x: train.x}", "after: [decide]", "cache: false"))

    def begin(self, minutes):
        """A fresh schedule in the same home, of which so many fires are due."""
        self.minutes = minutes
        self.start = self.clock.wall
        self.name = "s%d" % self.clock.wall
        steps = self.pipeline_steps()
        self.create(self.pipeline(steps, BUFFERED.replace("10m", "%dm" % minutes), self.name))
        self.clock.move(minutes * MINUTE)

    def check_all(self):
        nominal = [self.start + k * MINUTE for k in range(self.minutes)]
        self.assertEqual(self.query("SELECT nominal_ms, status FROM runs WHERE schedule = ? ORDER BY nominal_ms",
                                    self.name), [(when, "completed") for when in nominal])
        self.assertEqual(self.query("SELECT count(*) FROM drops"), [(0,)])
        done = self.query("SELECT count(*) FROM step_runs s JOIN runs r ON r.uuid = s.run"
                          " WHERE r.schedule = ? AND s.status = 'completed'", self.name)
        self.assertEqual(done, [(self.steps * self.minutes,)])
        self.check_once()


class EachEdge(EdgeSweeps, EdgeCase):
    """Of a daemon whose run has one step and no deploy (test_edges.py has the others)."""
    steps = 1

    def pipeline_steps(self):
        return self.step("train", self.OUTPUT, "outputs: [x]")

    def test_of_a_run(self):
        def check(*_):
            self.until_idle()
            self.check_all()
        self.each_edge("daemon with one step", 40, lambda: self.begin(1), lambda _: ["daemon", "--until-idle"],
                       check)


class SomeEdges(EdgeCase):
    def test_ten_runs(self):
        killed, edge = True, 5
        while killed:
            edge += 61
            self.assertLess(edge, MOST_EDGES)
            with self.subTest(edge=edge):
                self.begin(10)
                killed = self.killed_at(edge)
                self.until_idle()
                self.check_all()
        self.assertGreater(edge, 300)

    def test_life_after_life(self):
        """Killed again and again, each time after some progress."""
        for edge in (150, 190):
            with self.subTest(edge=edge):
                self.begin(10)
                lives = 1
                while self.killed_at(edge):
                    lives += 1
                    self.assertLess(lives, 200)
                self.assertGreater(lives, 3)
                self.check_all()


class DuringAStep(SchedulingCase):
    """The daemon dies while a command runs; what became of the command meanwhile, its shim has noted."""

    def begin(self, *keys, top="", script=None):
        self.create(self.pipeline(
            self.step("train", script or self.STAYS + self.OUTPUT, "outputs: [x]", *keys)
            + self.step("after", "true", "inputs: {x: train.x}"), "interval: 60s, start: now, end: +1m", top=top))
        self.process = self.daemon("--until-idle")
        self.wait_noted(1)

    def finish(self, status="completed"):
        self.process = self.daemon("--until-idle")
        self.wait_ended(1, status)
        self.clock.move(MINUTE)
        self.assertEqual(self.process.wait(support.SAFETY), 0, self.said())
        self.check_once()

    def train(self):
        """[(attempt, status)] of that step."""
        return self.query("SELECT attempt, status FROM step_runs WHERE name = 'train' ORDER BY attempt")

    def processes(self, word):
        return [pid for pid, argv in self.home.processes().items() if word in argv]

    def kill_processes(self, *words):
        # What they leave behind is looked for again after a moment of that clock.
        self.clock.tick()
        pids = [pid for word in words for pid in self.processes(word)]
        self.assertTrue(pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: not set(pids) & set(self.home.processes())))

    def test_it_still_runs(self):
        self.begin()
        self.kill(self.process)
        self.assertTrue(self.processes("sh train.sh"))
        self.process = self.daemon("--until-idle")
        self.assertTrue(support.wait_for(lambda: "taking it up" in self.said()))
        self.let_go()
        self.wait_ended(1)
        self.clock.move(MINUTE)
        self.assertEqual(self.process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.train(), [(1, "completed")])
        self.assertEqual(len(self.noted()), 2)
        self.check_once()

    def test_it_ended_meanwhile(self):
        self.begin()
        self.kill(self.process)
        self.let_go()
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))
        self.finish()
        self.assertEqual(self.train(), [(1, "completed")])

    def test_it_failed_meanwhile(self):
        self.begin(script=self.STAYS + "echo going wrong; exit 3\n")
        self.kill(self.process)
        self.let_go()
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))
        self.finish("failed")
        self.assertEqual(self.train(), [(1, "failed")])
        self.assertIn("exit status 3", self.home.json("run", "list")[0]["error"])

    def test_it_went_down_with_its_shim(self):
        """Then it begins anew, without a retry being asked for, or used up."""
        self.begin()
        self.kill(self.process)
        self.kill_processes("ctcd-shim", "sh train.sh")
        self.let_go()
        self.finish()
        self.assertEqual(self.train(), [(1, "interrupted"), (2, "completed")])

    def test_an_interruption_is_no_retry(self):
        self.begin("retries: {max: 1, delay: 0s}",
                   script=self.STAYS + 'test "$CTCD_ATTEMPT" != 2 || exit 3\n' + self.OUTPUT)
        self.kill(self.process)
        self.kill_processes("ctcd-shim", "sh train.sh")
        self.let_go()
        self.finish()
        self.assertEqual(self.train(), [(1, "interrupted"), (2, "failed"), (3, "completed")])

    def test_only_its_shim_went_down(self):
        """Nobody would know how it ends: it is killed, and begins anew."""
        self.begin()
        self.kill(self.process)
        self.kill_processes("ctcd-shim")
        orphan = self.processes("sh train.sh")
        self.assertTrue(orphan)
        self.process = self.daemon("--until-idle")
        self.wait_noted(2)
        self.assertFalse(set(orphan) & set(self.home.processes()))
        self.let_go()
        self.wait_ended(1)
        self.clock.move(MINUTE)
        self.assertEqual(self.process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.train(), [(1, "interrupted"), (2, "completed")])
        self.check_once()

    def test_on_crash_fail(self):
        self.begin(top="on_crash: fail")
        self.kill(self.process)
        self.kill_processes("ctcd-shim", "sh train.sh")
        self.finish("failed")
        self.assertEqual(self.train(), [(1, "failed")])
        run = self.home.json("run", "list")[0]
        self.assertIn("interrupted", run["error"])
        self.assertEqual([s["status"] for s in run["steps"]], ["failed", "skipped"])

    def test_on_crash_fail_concerns_only_what_was_interrupted(self):
        self.begin(top="on_crash: fail")
        self.kill(self.process)
        self.let_go()
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))
        self.finish()
        self.assertEqual(self.train(), [(1, "completed")])

    def test_on_crash_is_one_of_two(self):
        said = self.home.run("pipeline", "validate", self.pipeline(top="on_crash: resum"), status=2)
        self.assertRegex(said.err, r"seed\.yaml:2:\d+: .*on_crash")
        self.assertIn("resume", said.err.split("next:")[1])
        self.home.run("pipeline", "validate", self.pipeline(top="on_crash: resume"))

    def test_its_time_goes_on(self):
        self.begin("timeout: 60s")
        self.kill(self.process)
        self.clock.move(40000)
        self.process = self.daemon("--until-idle")
        self.assertTrue(support.wait_for(lambda: "taking it up" in self.said()))
        self.moved(self.process, 15000, 15000)
        self.assertTrue(self.processes("sh train.sh"))
        self.clock.move(5000)
        self.wait_ended(1, "failed")
        self.assertEqual(self.process.wait(support.SAFETY), 0, self.said())
        self.assertIn("time-out of 60 s", self.home.json("run", "list")[0]["error"])
        self.check_once()

    def test_in_the_pause_between_two_attempts(self):
        self.begin("retries: {max: 1, delay: 30s}",
                   script='test "$CTCD_ATTEMPT" = 2 || exit 3\n' + self.OUTPUT)
        self.wait_query("failed", "SELECT status FROM step_runs")
        self.kill(self.process)
        self.clock.move(20000)
        self.process = self.daemon("--until-idle")
        self.assertTrue(support.wait_for(lambda: "taking it up" in self.said()))
        self.moved(self.process, 9000, 9000)
        self.assertEqual(len(self.noted()), 1)
        self.clock.move(1000)
        self.wait_ended(1)
        self.clock.move(MINUTE)
        self.assertEqual(self.process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.train(), [(1, "failed"), (2, "completed")])
        self.check_once()

    def test_a_signal_while_it_is_taken_up(self):
        self.begin()
        self.kill(self.process)
        self.process = self.daemon()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(support.SAFETY)  # it may have been too early for a clean end
        if self.query("SELECT status FROM runs") != [("canceled",)]:
            self.let_go()
            self.until_idle_after_a_minute()
        self.assertIn(self.train(), ([(1, "canceled")], [(1, "completed")]))
        self.check_once()

    def until_idle_after_a_minute(self):
        self.clock.move(MINUTE)
        self.until_idle()

    def test_a_run_by_hand(self):
        """Its command died, not a daemon; a daemon ends it all the same."""
        path = self.pipeline(self.step("train", self.STAYS + self.OUTPUT, "outputs: [x]"), schedule="")
        process = self.home.start("pipeline", "run", path)
        self.wait_noted(1)
        self.kill(process)
        self.let_go()
        self.until_idle()
        self.assertEqual([run["status"] for run in self.home.json("run", "list")], ["completed"])
        self.check_once()


class DuringADeploy(SchedulingCase, StandInCase):
    """The step asks a deployer; its server polls by the monotonic clock, which goes here."""

    def setUp(self):
        super().setUp()
        self.clock.tick()

    def test_on_crash_fail(self):
        self.name = "seed"
        model = self.model(1, "ready-after 60000")
        self.create(self.pipeline(
            "  deploy:\n    deploy: {model_name: m, model_uri: %s, min_ready: 0s}\n" % model,
            "interval: 60s, start: now, end: +1m", top="on_crash: fail"))
        process = self.daemon("--until-idle")
        self.assertTrue(support.wait_for(lambda: any("stand-in" in argv and "uvicorn" in argv
                                                     for argv in self.home.processes().values())))
        self.kill(process)
        process = self.daemon("--until-idle")
        self.wait_ended(1, "failed")
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertIn("interrupted", self.home.json("run", "list")[0]["error"])
        for name in self.home.run("served-models", "list", "-o", "name").out.split():
            self.home.run("served-models", "delete", "--force", name)
        self.check_once()


if __name__ == "__main__":
    unittest.main()
