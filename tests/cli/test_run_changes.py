"""run cancel and run retry: from another process, of runs by hand and of a daemon, of dead ones; and kill -9 at
any instant of either."""

import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from edges import EdgeSweeps
from scheduling import MINUTE, SchedulingCase


class ChangeCase(SchedulingCase):
    def setUp(self):
        super().setUp()
        self.clock.tick()

    STUBBORN = "trap '' TERM\n" + SchedulingCase.STAYS

    def begin(self, script=None, *keys, top=""):
        """A run by hand whose first step stays. -> (its process, its UUID)"""
        path = self.pipeline(self.step("train", script or self.STAYS + self.OUTPUT, "outputs: [x]", *keys)
                             + self.step("after", "true", "inputs: {x: train.x}", "cache: false"),
                             schedule="", top=top)
        count = len(self.noted())
        process = self.home.start("pipeline", "run", path)
        self.wait_noted(count + 1)
        return process, self.noted()[-1][0]

    def statuses(self, uuid):
        run = self.home.json("run", "describe", uuid)
        return [run["status"]] + [step["status"] for step in run["steps"]]

    def attempts(self, step):
        return self.query("SELECT attempt, status FROM step_runs WHERE name = ? ORDER BY attempt", step)

    def events(self, uuid):
        return [event["kind"] for event in self.home.json("events", "--run", uuid)]

    def check_canceled(self, uuid):
        self.assertEqual(self.statuses(uuid), ["canceled", "canceled", "skipped"])
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))
        self.check_once()


class Cancel(ChangeCase):
    def test_of_a_run_by_hand(self):
        process, uuid = self.begin()
        said = self.home.run("run", "cancel", uuid[:8])
        self.assertRegex(said.out, r"\ACancelled the run seed-\S+\.\n\Z")
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.check_canceled(uuid)
        self.assertEqual(self.events(uuid), ["run_started", "run_cancel_asked", "run_canceled"])

    def test_what_does_not_end_is_killed(self):
        process, uuid = self.begin(self.STUBBORN)
        self.home.run("run", "cancel", uuid)
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.check_canceled(uuid)

    def test_of_a_daemon_which_goes_on(self):
        path = self.pipeline(self.step("train", self.STAYS + self.OUTPUT, "outputs: [x]"),
                             "interval: 60s, start: now, end: +2m, catchup: all, overlap: buffer_all")
        self.create(path)
        self.clock.move(2 * MINUTE)
        daemon = self.daemon("--until-idle")
        self.wait_noted(1)
        first, second = [run["uuid"] for run in reversed(self.home.json("run", "list"))]
        self.home.run("run", "cancel", second)  # that has not begun: there is nobody to wait for
        self.assertEqual(self.statuses(second), ["canceled", "pending"])
        self.home.run("run", "cancel", first)
        self.assertEqual(self.statuses(first), ["canceled", "canceled"])
        self.assertEqual(daemon.wait(support.SAFETY), 0, self.said())
        self.check_once()

    def test_one_that_has_ended(self):
        self.let_go()
        process, uuid = self.begin()
        self.assertEqual(process.wait(support.SAFETY), 0)
        said = self.home.run("run", "cancel", uuid, status=6)
        self.assertIn("has ended already: completed", said.err)
        self.home.run("run", "cancel", "nosuch", status=3)
        self.assertEqual(self.query("SELECT cancel_ms FROM runs"), [(None,)])

    def test_without_waiting(self):
        process, uuid = self.begin(self.STUBBORN)
        said = self.home.run("run", "cancel", uuid, "--no-wait")
        self.assertRegex(said.out, r"\AAsked the run seed-\S+ to end\.\n\Z")
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.check_canceled(uuid)

    def test_it_takes_longer_than_one_waits(self):
        process, uuid = self.begin()
        process.send_signal(signal.SIGSTOP)  # it cannot see the request
        said = self.home.run("run", "cancel", uuid, "--timeout", "1s", status=5)
        self.assertIn("has not yet", said.err)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.check_canceled(uuid)

    def test_of_a_dead_one(self):
        """Nobody carries it out any more; its step runs on under its shim, until it is ended here."""
        process, uuid = self.begin(self.STUBBORN)
        self.assertEqual(self.home.json("run", "describe", uuid)["status"], "running")
        self.kill(process)
        self.assertTrue(self.home.processes())
        run = self.home.json("run", "describe", uuid)
        self.assertEqual((run["status"], run["next"]), ("interrupted", "ctcd daemon --until-idle"))
        self.assertRegex(self.home.run("run", "list").out, r"(?m)^interrupted ")
        self.assertRegex(self.home.run("run", "describe", uuid).out, r"(?m)^NEXT +ctcd daemon --until-idle$")
        with self.home.start("run", "logs", uuid, "--follow", stderr=subprocess.PIPE) as follower:
            self.assertIn(b"is interrupted: nobody carries it out", follower.stderr.readline())
            self.assertIn(b"ctcd daemon --until-idle", follower.stderr.readline())
            follower.send_signal(signal.SIGINT)
        self.home.run("run", "cancel", uuid)
        self.check_canceled(uuid)

    def test_of_a_dead_one_without_waiting(self):
        process, uuid = self.begin()
        self.kill(process)
        self.home.run("run", "cancel", uuid, "--no-wait")
        self.wait_ended(1, "canceled")
        self.check_canceled(uuid)

    def test_of_a_dead_one_without_a_shim(self):
        process, uuid = self.begin(self.STUBBORN)
        self.kill(process)
        for pid, argv in self.home.processes().items():
            if "ctcd-shim" in argv:
                os.kill(pid, signal.SIGKILL)
        self.assertTrue(any("train.sh" in argv for argv in self.home.processes().values()))
        self.home.run("run", "cancel", uuid)
        self.check_canceled(uuid)

    def test_the_request_outlives_its_process(self):
        """Asked, and then both died: whoever takes the run up ends it."""
        process, uuid = self.begin()
        process.send_signal(signal.SIGSTOP)
        asking = self.home.start("run", "cancel", uuid)
        self.assertTrue(support.wait_for(lambda: self.query("SELECT cancel_ms FROM runs")[0][0]))
        self.kill(asking)
        self.kill(process)
        self.until_idle()
        self.check_canceled(uuid)

    def test_in_the_pause_before_a_retry(self):
        process, uuid = self.begin("exit 3", "retries: {max: 1, delay: 1h}")
        self.wait_query("failed", "SELECT status FROM step_runs")
        self.home.run("run", "cancel", uuid)
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.assertEqual(self.statuses(uuid)[0], "canceled")
        self.check_once()


class Retry(ChangeCase):
    FAILS = 'test -e "$NOTES.go" || exit 3\n' + SchedulingCase.OUTPUT

    def fail(self, *keys, top=""):
        """first completes, train fails, after is skipped. -> UUID"""
        path = self.pipeline(self.step("first", self.OUTPUT, "outputs: [x]")
                             + self.step("train", self.FAILS, "inputs: {x: first.x}", "outputs: [x]", *keys)
                             + self.step("after", "true", "inputs: {x: train.x}", "cache: false"),
                             schedule="", top=top)
        self.home.run("pipeline", "run", path, status=1)
        return self.noted()[0][0]

    def test_from_the_failed_step(self):
        uuid = self.fail()
        self.assertEqual(self.statuses(uuid), ["failed", "completed", "failed", "skipped"])
        self.let_go()
        said = self.home.run("run", "retry", uuid[:8])
        self.assertRegex(said.out, r"(?m)^train +completed ")
        self.assertEqual(self.statuses(uuid), ["completed"] * 4)
        self.assertEqual(self.attempts("first"), [(1, "completed")])
        self.assertEqual(self.attempts("train"), [(1, "failed"), (2, "completed")])
        self.assertEqual(self.attempts("after"), [(1, "completed")])
        self.assertEqual(self.events(uuid), ["run_started", "step_failed", "run_failed", "run_retried", "run_completed"])
        run = self.home.json("run", "describe", uuid)
        self.assertEqual((run["error"], len(self.home.json("run", "list"))), ("", 1))
        self.check_once()

    def test_that_fails_again_and_again(self):
        uuid = self.fail("retries: {max: 1, delay: 0s}", top="on_failure: [sh, hook.sh]\n")
        self.home.file("hook.sh", "")
        for count in (2, 4):
            self.assertEqual(len(self.attempts("train")), count)
            self.home.run("run", "retry", uuid, status=1)
            self.assertEqual(self.statuses(uuid)[:4], ["failed", "completed", "failed", "skipped"])
        self.assertEqual(self.attempts("train"), [(n, "failed") for n in range(1, 7)])
        self.assertEqual([attempt for attempt, _ in self.attempts("on_failure")], [1, 2, 3])
        self.check_once()

    def test_of_a_canceled_one(self):
        process, uuid = self.begin()
        self.home.run("run", "cancel", uuid)
        process.wait(support.SAFETY)
        self.let_go()
        self.home.run("run", "retry", uuid)
        self.assertEqual(self.statuses(uuid), ["completed"] * 3)
        self.assertEqual(self.attempts("train"), [(1, "canceled"), (2, "completed")])
        self.check_once()

    def test_that_is_canceled_and_retried(self):
        uuid = self.fail()
        self.home.file("train.sh", 'echo "$CTCD_RUN_ID $CTCD_STEP_NAME $CTCD_ATTEMPT" >>"$NOTES"\n'
                       + self.STAYS + self.OUTPUT)
        process = self.home.start("run", "retry", uuid)
        self.wait_noted(3)
        self.home.run("run", "retry", uuid, status=6)
        self.home.run("run", "cancel", uuid)
        self.assertEqual(process.wait(support.SAFETY), 1)
        self.assertEqual(self.statuses(uuid), ["canceled", "completed", "canceled", "skipped"])
        self.let_go()
        self.home.run("run", "retry", uuid)
        self.assertEqual(self.attempts("train"), [(1, "failed"), (2, "canceled"), (3, "completed")])
        self.check_once()

    def test_what_cannot_be_retried(self):
        process, uuid = self.begin()
        said = self.home.run("run", "retry", uuid, status=6)
        self.assertIn("is running", said.err)
        self.assertIn("ctcd run cancel", said.err.split("next:")[1])
        self.let_go()
        self.assertEqual(process.wait(support.SAFETY), 0)
        said = self.home.run("run", "retry", uuid, status=6)
        self.assertIn("is completed", said.err)
        self.assertIn("ctcd pipeline run", said.err.split("next:")[1])
        self.home.run("run", "retry", "nosuch", status=3)
        self.assertEqual(self.attempts("train"), [(1, "completed")])

    def test_of_a_scheduled_run(self):
        self.create(self.pipeline(self.step("train", self.FAILS, "outputs: [x]"),
                                  "interval: 60s, start: now, end: +1m"))
        self.clock.move(MINUTE)
        self.until_idle()
        self.assertEqual(self.runs(), [(0, "failed")])
        self.let_go()
        self.home.run("run", "retry", self.noted()[0][0])
        self.assertEqual(self.runs(), [(0, "completed")])
        self.check_once()


class Edges(EdgeSweeps, ChangeCase):
    """Killed at each durable edge: the request holds or was not made, and nothing starts twice."""

    def sweep(self, name, at_least, prepare, args, after):
        def check(_, uuid, end):
            before = self.events(uuid)
            after(uuid, end)
            self.assertEqual(self.events(uuid)[:len(before)], before)
            self.check_once()
        self.each_edge(name, at_least, prepare, lambda uuid: (*args, uuid), check)

    def test_of_a_cancel_of_a_dead_run(self):
        def prepare():
            process, uuid = self.begin()
            self.kill(process)
            return uuid

        def after(uuid, end):
            if end.out or not end.killed:
                self.assertEqual(self.statuses(uuid)[0], "canceled")
            if self.statuses(uuid)[0] == "interrupted":
                self.home.run("run", "cancel", uuid)
            self.check_canceled(uuid)
        self.sweep("cancel of a dead run", 20, prepare, ("run", "cancel"), after)

    def test_of_a_retry(self):
        def prepare():
            if os.path.exists(self.notes + ".go"):
                os.unlink(self.notes + ".go")
            path = self.pipeline(self.step("first", self.OUTPUT, "outputs: [x]")
                                 + self.step("train", 'test -e "$NOTES.go"', "inputs: {x: first.x}", "cache: false"),
                                 schedule="")
            self.home.run("pipeline", "run", path, status=1)
            self.let_go()
            return self.noted()[-1][0]

        def after(uuid, end):
            if end.out or not end.killed:
                self.assertEqual(self.statuses(uuid), ["completed"] * 3)
            if self.statuses(uuid)[0] == "interrupted":
                self.until_idle()  # it takes up what was left
            if self.statuses(uuid)[0] == "failed":
                self.home.run("run", "retry", uuid)
            self.assertEqual(self.statuses(uuid), ["completed"] * 3)
            rows = self.query("SELECT attempt, status FROM step_runs WHERE run = ? AND name = 'first'", uuid)
            self.assertEqual(rows, [(1, "completed")])
        self.sweep("retry", 30, prepare, ("run", "retry"), after)


if __name__ == "__main__":
    unittest.main()
