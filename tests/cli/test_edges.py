"""kill -9 before each durable edge of `pipeline run` with a command, a decision and a deploy that replaces.
Whatever the instant: what had been acknowledged is so, no attempt of a step starts twice, the next daemon brings
each run to its end, one revision serves, and nothing else is left. (A daemon: test_daemon_edges.py; services:
test_kills.py; cancel and retry: test_run_changes.py; gc, backup, restore: test_house_edges.py.)"""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from edges import EdgeSweeps
from scheduling import SchedulingCase
from stand_in import StandInCase

ROWS = {"dataframe_split": {"columns": ["a"], "data": [[1]]}}


class RunCase(EdgeSweeps, SchedulingCase, StandInCase):
    """Each run trains, decides, and replaces the model that the run before it has deployed."""
    steps = ["train", "decide", "deploy"]

    def setUp(self):
        super().setUp()
        self.clock.tick()  # servers are polled by it
        self.value = 0
        # Two models take turns: their files are the same in each trial.
        self.two = [self.model(0), self.model(1)]
        self.file = self.pipeline(
            self.step("train", """echo '{"x": 1, "model": "'"$MODEL"'"}' >"$CTCD_OUTPUTS\"""", "outputs: [x, model]")
            + "  decide:\n    decide: {metric: train.x, threshold: 0.5, deploys: deploy}\n"
            + "  deploy:\n    when: decide\n    deploy: {model_name: m, model_uri: train.model, min_ready: 0s}\n",
            schedule="")

    def next_model(self):
        """What the run to come deploys: not what serves."""
        self.value = 1 - self.value
        self.home.env["MODEL"] = self.two[self.value]

    # ---- what must hold -----------------------------------------------------------------------
    def told(self, end):
        """All that it had said is in the store."""
        told = re.findall(r"(?m)^(?:\S+Z )?step (\w+): (?:completed|promote|deployed)\b.*\n", end.err)
        self.assertTrue(told or end.killed, end)
        for step in told:
            rows = self.query("SELECT status FROM step_runs WHERE name = ? AND run ="
                              " (SELECT uuid FROM runs ORDER BY id DESC LIMIT 1) ORDER BY attempt", step)
            self.assertEqual(rows[-1:], [("completed",)], step)  # there may be others that were interrupted
        if end.out:
            self.assertEqual(self.query("SELECT status FROM runs ORDER BY id DESC LIMIT 1"), [("completed",)])

    def events(self):
        return self.query("SELECT id, kind FROM events ORDER BY id")

    def all_is_well(self):
        """Every run has completed, each attempt began once, and one revision of one service serves."""
        noted = self.noted()
        self.assertEqual(len(noted), len(set(noted)), "an attempt was started twice")
        rows = self.query("SELECT run, name, attempt, status FROM step_runs ORDER BY id")
        self.assertLessEqual(set(noted), set(row[:3] for row in rows), "a start that the store does not know")
        runs = self.query("SELECT uuid, status FROM runs")
        for uuid, status in runs:
            self.assertEqual(status, "completed")
            done = [row[1] for row in rows if row[0] == uuid and row[3] == "completed"]
            self.assertEqual(done, self.steps)
            left = [row for row in rows if row[0] == uuid and row[3] not in ("completed", "interrupted")]
            self.assertEqual(left, [])
        self.assertEqual(self.query("SELECT * FROM operations WHERE open = 1"), [])
        services = self.services()
        self.assertEqual(len(services), 1 if runs else 0)
        shims = len(services)
        self.assertTrue(support.wait_for(lambda: len(self.home.processes()) == 2 * shims, 15),
                        self.home.processes())
        if services:
            self.assertEqual((services[0]["state"], services[0]["next"]), ("active", ""))
            status, answer = support.post(services[0]["prediction_url"], ROWS)
            self.assertEqual((status, answer), (200, {"predictions": [int(services[0]["model_uri"][-1]) - 1]}))
            live = self.query("SELECT number FROM revisions WHERE state NOT IN ('stopped', 'failed')")
            self.assertEqual(live, [(services[0]["revision"],)])
            self.assertEqual(len(self.home.ports()), 1)
        return services[0] if services else None

    def taken_up(self, _, count, end):
        """What `daemon` makes of it. count: how many runs there were before."""
        self.told(end)
        events = self.events()
        runs = self.query("SELECT status FROM runs ORDER BY id")
        if len(runs) == count:  # it died before there was one
            self.assertFalse(end.out)
        if self.query("SELECT 1 FROM runs WHERE status IN ('running', 'pending')"):
            shown = [run["status"] for run in self.home.json("run", "list")]
            self.assertEqual(shown.count("interrupted") + shown.count("pending"), 1, shown)
            self.until_idle()
        service = self.all_is_well()
        self.assertEqual(self.events()[:len(events)], events)
        if len(runs) > count:
            self.assertEqual(service["model_uri"], self.two[self.value])


class ByHand(RunCase):
    def test_pipeline_run(self):
        """The first one has no incumbent; all others replace."""
        def prepare():
            self.next_model()
            return len(self.query("SELECT 1 FROM runs"))
        self.home.run("pipeline", "run", self.file, env={"MODEL": self.two[self.value]})
        self.each_edge("pipeline run", 60, prepare, lambda _: ["pipeline", "run", self.file], self.taken_up)

    def test_first_pipeline_run(self):
        """In a home where nothing was ever run."""
        def prepare():
            for service in self.services():
                self.home.run("served-models", "delete", service["uuid"])
            self.home_again()
            if os.path.exists(self.notes):
                os.unlink(self.notes)
            self.next_model()
            return 0
        self.keep_home()
        self.each_edge("first pipeline run", 60, prepare, lambda _: ["pipeline", "run", self.file], self.taken_up)


if __name__ == "__main__":
    unittest.main()
