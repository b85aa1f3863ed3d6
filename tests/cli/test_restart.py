"""Restart policies: what the daemon does with a server that has ended, under a wall clock that is held and
moved, while the monotonic one ticks (looks and probes go by that)."""

import fcntl
import os
import re
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

SECOND, MINUTE = 1000, 60000

PIPELINE = """\
pipeline: kept
steps:
  deploy:
    deploy: {model_name: digits, model_uri: %s, restart: %s, min_ready: 0s}
"""


class RestartCase(StandInCase):
    ctcd = support.CTCD_TEST

    def setUp(self):
        super().setUp()
        clock = os.path.join(self.home.folder, "clock")
        self.clock = support.Clock(clock)
        self.clock.tick()
        self.home.env["CTCD_TEST_CLOCK"] = clock

    def close_home(self):
        try:
            super().close_home()
        finally:
            self.clock.close()

    def serve(self, policy, *behaviour):
        self.path = self.model(1, *behaviour)
        self.deploy(self.path, "--restart", policy)
        self.id = self.uuid()
        return self.service()

    def behave(self, *lines):
        self.home.file(os.path.join(self.path, "behaviour"), "".join(line + "\n" for line in lines))

    def service(self):
        return self.home.json("served-models", "describe", self.id)

    def pid(self):
        return int(self.service()["properties"]["DAEMON_PID"])

    def gone(self, pid):
        self.assertTrue(support.wait_for(lambda: pid not in self.home.processes()))

    def crash(self):
        """Its server is killed; returns when the shim has said so."""
        os.kill(self.pid(), signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: self.service()["state"] == "error"))

    def kinds(self):
        return [e["kind"] for e in self.home.json("events", "--service", self.id, "--limit", "1000")
                if not e["kind"].startswith("deploy_")]

    def wait_kinds(self, *expected):
        """Without commands, which would take up the processor that the daemon needs."""
        def ask():
            db = sqlite3.connect("file:%s/ctcd.db?mode=ro" % self.home.path, uri=True, timeout=60)
            try:
                return [row[0] for row in db.execute("SELECT kind FROM events WHERE subject = ? AND kind NOT "
                                                     "LIKE 'deploy_%' ORDER BY id", (self.id,))]
            finally:
                db.close()
        self.assertTrue(support.wait_for(lambda: ask() == list(expected)), (ask(), self.said()))

    def daemon(self, *args):
        with open(os.path.join(self.home.folder, "daemon.log"), "ab") as log:
            return self.home.start("daemon", *args, stderr=log)

    def said(self):
        with open(os.path.join(self.home.folder, "daemon.log"), encoding="utf-8") as log:
            return log.read()

    def until_idle(self):
        process = self.daemon("--until-idle")
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())

    def planned(self):
        """How far away the next restart is, in seconds; None: there is none."""
        next_ms = self.service()["restart_next_ms"]
        return None if next_ms is None else (next_ms - self.clock.wall) / SECOND


class Daemon(RestartCase):
    def test_a_crash(self):
        before = self.serve("on-failure")
        self.assertEqual((before["restart"], before["restarts"], before["restart_next_ms"]),
                         ("on-failure", 0, None))
        self.daemon()
        self.crash()
        self.wait_kinds("restart_planned")
        seen = self.service()
        self.assertEqual((seen["state"], self.planned()), ("error", 1))
        table = self.home.run("served-models", "describe", self.id).out
        self.assertRegex(table, r"\nRESTART +on-failure\n")
        self.assertRegex(table, r"\nRESTARTS +0\n")
        self.assertRegex(table, r"\nRESTART_NEXT +2026-01-01T00:00:01Z\n")
        event = self.home.json("events", "--service", self.id)[-1]
        self.assertIn("signal 9", event["message"])
        self.assertIn("restart at 2026-01-01T00:00:01Z", event["message"])
        self.clock.move(1 * SECOND, 0)
        self.wait_kinds("restart_planned", "service_restarted")
        after = self.service()
        self.assertEqual((after["state"], after["restarts"], after["restart_next_ms"], after["last_error"],
                          after["revision"]), ("active", 1, None, "", 1))
        self.home.run("predict", self.id, "--data", "[[1]]")
        self.assertIn("restarting it", self.said())

    def test_the_wait_doubles_and_survives_the_daemon(self):
        self.serve("on-failure")
        process = self.daemon()
        self.behave("exit 3")
        self.crash()
        self.wait_kinds("restart_planned")
        expected = ["restart_planned"]
        for tries, wait in [(1, 2), (2, 4), (3, 8)]:
            self.clock.move(wait // 2 * SECOND, 0)
            expected += ["restart_failed", "restart_planned"]
            self.wait_kinds(*expected)
            seen = self.service()
            self.assertEqual((seen["state"], seen["restarts"], self.planned()), ("error", tries, wait))
            self.assertIn("exit status 3", seen["last_error"])
        process.kill()
        process.wait(support.SAFETY)
        self.behave()
        self.until_idle()  # not yet due
        self.assertEqual((self.service()["restarts"], self.planned()), (3, 8))
        self.clock.move(8 * SECOND, 0)
        self.until_idle()
        self.assertEqual((self.service()["state"], self.service()["restarts"]), ("active", 4))
        self.clock.move(9 * MINUTE, 0)
        self.crash()
        self.until_idle()
        self.assertEqual(self.planned(), 16, "it has not served for long")
        self.clock.move(16 * SECOND, 0)
        self.until_idle()
        self.assertEqual((self.service()["state"], self.service()["restarts"]), ("active", 5))
        self.clock.move(10 * MINUTE, 0)
        self.crash()
        self.until_idle()
        self.assertEqual(self.planned(), 1, "it has served for ten minutes")

    def test_a_daemon_that_is_killed_in_a_restart(self):
        self.serve("on-failure")
        self.crash()
        self.until_idle()
        self.clock.move(1 * SECOND, 0)
        self.behave("ready-after 100000")
        process = self.daemon()
        self.assertTrue(support.wait_for(lambda: self.service()["state"] == "pending_startup"))
        process.kill()
        process.wait(support.SAFETY)
        self.assertIn("operation interrupted (restart)", self.service()["status_message"])
        self.assertEqual((self.service()["restarts"], self.planned()), (1, 2))
        self.behave()
        self.until_idle()
        self.assertEqual(self.service()["restarts"], 1)
        self.clock.move(2 * SECOND, 0)
        self.until_idle()
        seen = self.service()
        self.assertEqual((seen["state"], seen["restarts"], seen["restart_next_ms"]), ("active", 2, None))
        self.assertEqual(self.kinds(), ["restart_planned", "interrupted", "service_restarted"])
        self.assertEqual(len([line for line in self.home.processes().values() if "stand-in" in line
                              and "shim" not in line]), 1)

    def test_a_daemon_that_is_told_to_end_in_a_restart(self):
        self.serve("always")
        self.crash()
        self.until_idle()
        self.clock.move(1 * SECOND, 0)
        self.behave("ready-after 100000")
        process = self.daemon()
        self.assertTrue(support.wait_for(lambda: self.service()["state"] == "pending_startup"))
        process.terminate()
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertEqual((self.service()["state"], self.planned()), ("error", 2))
        self.behave()
        self.clock.move(2 * SECOND, 0)
        self.until_idle()
        self.assertEqual(self.service()["state"], "active")


class Who(RestartCase):
    def restarted(self):
        """Has the daemon started it again, given the time?"""
        self.until_idle()
        self.clock.move(1 * SECOND, 0)
        self.until_idle()
        return "service_restarted" in self.kinds()

    def test_never(self):
        self.assertEqual(self.serve("never")["restart"], "never")
        self.crash()
        self.assertFalse(self.restarted())
        self.assertEqual(self.service()["state"], "error")
        self.assertNotIn("RESTARTS", self.home.run("served-models", "describe", self.id).out)

    def ends_well(self, policy):
        self.serve(policy, "exit-after 300 0")
        pid = self.service()["properties"].get("DAEMON_PID")
        self.assertTrue(support.wait_for(lambda: self.service()["state"] == "error"), pid)
        self.assertIn("exit status 0", self.service()["status_message"])
        self.behave()
        return self.restarted()

    def test_one_that_ends_well_on_failure(self):
        self.assertFalse(self.ends_well("on-failure"))
        self.assertEqual(self.kinds(), [])

    def test_one_that_ends_well_always(self):
        self.assertTrue(self.ends_well("always"))

    def test_a_lost_monitor(self):
        self.serve("on-failure")
        server = self.pid()
        shims = [pid for pid, line in self.home.processes().items() if "ctcd-shim" in line]
        self.assertEqual(len(shims), 1)
        os.kill(shims[0], signal.SIGKILL)
        self.gone(shims[0])
        self.assertTrue(self.restarted())
        self.assertNotIn(server, self.home.processes())
        self.assertEqual(self.service()["state"], "active")

    def reboot(self, policy):
        """What a reboot leaves: nothing runs, no record of an end, the start was under another boot."""
        self.serve(policy)
        server = self.pid()
        shim = [pid for pid, line in self.home.processes().items() if "ctcd-shim" in line][0]
        os.kill(shim, signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        self.gone(shim)
        self.gone(server)
        alive = os.path.join(self.service()["properties"]["SERVICE_PATH"], "alive")
        with open(alive, encoding="ascii") as f:
            text = f.read()
        with open(alive, "w", encoding="ascii") as f:
            f.write(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "00000000-0000-4000-8000-000000000000", text, count=1))
        self.assertEqual(self.service()["state"], "inactive")
        return self.restarted()

    def test_a_reboot_on_failure(self):
        self.assertFalse(self.reboot("on-failure"))

    def test_a_reboot_always(self):
        self.assertTrue(self.reboot("always"))
        self.assertEqual(self.service()["state"], "active")

    def test_one_that_was_stopped(self):
        self.serve("always")
        self.crash()
        self.until_idle()
        self.assertEqual(self.planned(), 1)
        self.home.run("served-models", "stop", self.id)
        self.assertIsNone(self.planned())
        self.assertFalse(self.restarted())
        self.assertEqual(self.service()["state"], "inactive")
        self.home.run("served-models", "start", self.id)
        self.crash()
        self.assertTrue(self.restarted(), "the policy stays")

    def test_one_that_was_deleted(self):
        self.serve("always")
        self.crash()
        self.until_idle()
        self.home.run("served-models", "delete", self.id)
        self.clock.move(1 * SECOND, 0)
        self.until_idle()
        self.assertEqual(self.kinds(), ["restart_planned", "service_deleted"])
        self.assertEqual(self.services(), [])

    def test_one_that_somebody_works_on(self):
        self.serve("always")
        self.crash()
        self.until_idle()
        self.clock.move(1 * SECOND, 0)
        with open(os.path.join(self.home.path, "services", self.id, "lock"), "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self.until_idle()
            self.assertEqual(self.kinds(), ["restart_planned"])
            self.assertEqual(self.service()["restarts"], 0)
        self.until_idle()
        self.assertEqual(self.kinds(), ["restart_planned", "service_restarted"])

    def test_a_start_by_hand(self):
        self.serve("on-failure")
        self.crash()
        self.until_idle()
        self.home.run("served-models", "start", self.id)
        self.assertEqual((self.planned(), self.service()["state"]), (None, "active"))
        self.clock.move(1 * SECOND, 0)
        self.until_idle()
        self.assertEqual(self.kinds(), ["restart_planned", "service_started"])

    def test_the_policy_is_the_deployments(self):
        self.serve("always")
        self.crash()
        self.assertTrue(self.restarted())
        self.deploy(self.model(2, "exit 1"), "--restart", "never", status=1)
        self.assertEqual((self.service()["restart"], self.service()["restarts"]), ("always", 1))
        self.deploy(self.model(3))
        self.assertEqual((self.service()["restart"], self.service()["restarts"]), ("never", 0))
        said = self.deploy(self.model(4), "--restart", "sometimes", status=2)
        self.assertIn("never|on-failure|always", said.err)

    def test_a_pipeline(self):
        path = self.home.file("kept.yaml", PIPELINE % (self.model(), "on-failure"))
        self.home.run("pipeline", "run", path)
        self.id = self.uuid()
        self.assertEqual(self.service()["restart"], "on-failure")
        self.crash()
        self.assertTrue(self.restarted())
        path = self.home.file("kept.yaml", PIPELINE % (self.model(), "on-failur"))
        said = self.home.run("pipeline", "validate", path, status=2)
        self.assertIn("never, on-failure, always", said.err)


if __name__ == "__main__":
    unittest.main()
