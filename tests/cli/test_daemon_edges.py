"""kill -9 before each durable edge of a daemon: while it fires a run that trains, decides and deploys, and while it
takes up one that another daemon has died over. What must hold then is in test_edges.py."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from scheduling import MINUTE
from test_edges import RunCase


class ByADaemon(RunCase):
    """These runs have a step more, which gets the service."""
    steps = RunCase.steps + ["check"]

    def fire_due(self):
        """One fire of a schedule of its own. -> how many runs there are before it"""
        self.next_model()
        self.made += 1
        self.home.run("schedule", "create", self.file, "--name", "s%d" % self.made)
        self.clock.move(MINUTE, 0)
        return len(self.query("SELECT 1 FROM runs"))

    def setUp(self):
        super().setUp()
        self.made = 0
        with open(self.file, "a", encoding="utf-8") as f:
            f.write(self.step("check", "true", "inputs: {service: deploy.service}"))
            f.write("schedule: {interval: 60s, start: now, end: +1m, catchup: all}\n")

    def fired(self, k, count, end):
        self.until_idle()
        self.taken_up(k, count, end)
        self.assertEqual(self.query("SELECT count(*) FROM runs WHERE schedule = ?", "s%d" % self.made), [(1,)])
        self.assertEqual(self.query("SELECT count(*) FROM drops"), [(0,)])

    def test_daemon(self):
        self.each_edge("daemon with one run", 60, self.fire_due, lambda _: ["daemon", "--until-idle"], self.fired)

    def resumption(self, name, process):
        """process: which of its children it had just begun when the first one died."""
        def prepare():
            count = self.fire_due()
            self.assertTrue(self.kill_at("process:%d" % process, "daemon", "--until-idle").killed)
            # How far that child is would make a difference to what is left to do: so it gets there first.
            self.assertTrue(support.wait_for(self.has_begun_or_left))
            return count
        self.each_edge(name, 30, prepare, lambda _: ["daemon", "--until-idle"], self.fired)

    def has_begun_or_left(self):
        """The command ended, each shim has its server; or nobody waited for the shim any more, and it left."""
        lines = list(self.home.processes().values())
        shims = [line for line in lines if "ctcd-shim" in line]
        # Not by words that the path of the home may have, too: that has the name of this suite.
        return len(lines) == 2 * len(shims) and not any(word in line for line in lines
                                                        for word in ("/runs/", "train ", " daemon "))

    def test_resumption_in_a_command(self):
        self.resumption("resumption in a command", 1)

    def test_resumption_in_a_deploy(self):
        self.resumption("resumption in a deploy", 2)


if __name__ == "__main__":
    unittest.main()
