"""kill -9 of gc, backup and restore before each durable edge: records and folders stay together, a home is the one
before or the one after, and the same command again comes to its end. And what two do to one run at the same time:
gc and retry, two daemons."""

import contextlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from edges import EdgeSweeps
from scheduling import MINUTE, SchedulingCase
from stand_in import StandInCase

ORPHAN = "00000000-0000-4000-8000-000000000000"


class HouseCase(EdgeSweeps, SchedulingCase, StandInCase):
    def setUp(self):
        super().setUp()
        self.clock.tick()
        self.backup = os.path.join(self.home.folder, "backup.db")
        self.file = self.pipeline(self.step("train", 'echo y >"$CTCD_ARTIFACTS/f"\n'
                                            + """echo '{"x": "'"$CTCD_ARTIFACTS"'/f"}' >"$CTCD_OUTPUTS\"""",
                                            "outputs: [x]"), schedule="")

    def run_once(self):
        self.clock.move(1000, 0)
        self.home.run("pipeline", "run", self.file)

    def runs_of(self, store):
        with contextlib.closing(sqlite3.connect(store, timeout=60)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            return db.execute("SELECT uuid, status FROM runs ORDER BY id").fetchall()

    def own_runs(self):
        return self.runs_of(os.path.join(self.home.path, "ctcd.db"))

    def folders(self, name):
        path = os.path.join(self.home.path, name)
        return set(os.listdir(path)) if os.path.isdir(path) else set()

    def beside(self, path):
        """Files whose name begins as this one's."""
        folder, name = os.path.split(path)
        return sorted(n for n in os.listdir(folder) if n.startswith(name))

    def serves_and_stops(self):
        uuid = self.uuid()
        self.home.run("served-models", "start", uuid)
        service = self.services()[0]
        self.assertEqual((service["state"], service["next"]), ("active", ""))
        self.home.run("served-models", "stop", uuid)


class Edges(HouseCase):
    def test_gc(self):
        """Three runs, of which one stays; a service whose first revision is not needed; a folder of nobody."""
        for _ in range(3):
            self.run_once()
        self.deploy(self.model(1))
        self.deploy(self.model(2))
        self.home.run("served-models", "stop", self.uuid())
        os.makedirs(os.path.join(self.home.path, "runs", ORPHAN, "train"))
        stays = self.own_runs()[-1]
        self.keep_home()
        command = ["gc", "--keep-runs", "1", "--keep-events", "1h"]

        def check(k, _, end):
            runs = self.own_runs()
            self.assertIn(stays, runs)
            for uuid, _ in runs:  # what is listed is whole
                self.assertTrue(os.path.exists(os.path.join(self.home.path, "runs", uuid, "train", "1", "artifacts",
                                                            "f")), uuid)
            if end.out:
                self.assertEqual(runs, [stays])
            self.home.run(*command)
            self.assertEqual(self.own_runs(), [stays])
            self.assertEqual(self.folders("runs"), {stays[0]})
            self.assertEqual({name[0] for name in self.folders("services/" + self.uuid()) if name != "lock"}, {"r"})
            self.assertNotIn("r1", self.folders("services/" + self.uuid()))
            if k % 10 == 0:
                self.serves_and_stops()
        self.each_edge("gc", 30, self.home_again, lambda _: command, check)

    def test_backup(self):
        self.run_once()
        self.home.run("backup", self.backup)
        older = self.own_runs()
        self.run_once()
        self.keep_home()
        with open(self.backup, "rb") as f:
            content = f.read()

        def prepare():
            self.home_again()
            with open(self.backup, "wb") as f:
                f.write(content)

        def check(_, __, end):
            self.assertIn(self.runs_of(self.backup), (older, self.own_runs()))  # whole, whichever it is
            if not end.killed:
                self.assertEqual(self.runs_of(self.backup), self.own_runs())
            self.assertEqual(len(self.own_runs()), 2)
            self.home.run("backup", self.backup)
            self.assertEqual(self.runs_of(self.backup), self.own_runs())
            for name in self.beside(self.backup):
                if name != "backup.db":  # what a dead one was making; its name says what it is
                    self.assertRegex(name, r"\Abackup\.db\.new-[-0-9a-f]{36}")
                    os.unlink(os.path.join(self.home.folder, name))
        self.each_edge("backup", 30, prepare, lambda _: ["backup", self.backup], check)

    def test_restore(self):
        self.run_once()
        self.deploy(self.model(1))
        self.home.run("served-models", "stop", self.uuid())
        self.home.run("backup", self.backup)
        older = self.own_runs()
        self.run_once()
        for command in ("start", "stop"):  # a start that the backup does not know of
            self.home.run("served-models", command, self.uuid())
        newer = self.own_runs()
        self.keep_home()
        command = ["restore", self.backup, "--force"]

        def check(k, _, end):
            runs = self.own_runs()
            self.assertIn(runs, (older, newer))
            if end.out or not end.killed:
                self.assertEqual(runs, older)
            if k % 2:  # whichever it is, one can work with it
                self.serves_and_stops()
            self.home.run(*command)
            self.assertEqual(self.own_runs(), older)
            self.assertEqual([n for n in self.beside(os.path.join(self.home.path, "ctcd.db"))], ["ctcd.db"])
            if k % 4 == 0:
                self.serves_and_stops()
        self.each_edge("restore", 40, self.home_again, lambda _: command, check)


class AtOnce(HouseCase):
    """One command is held before each of its edges in turn, while the other one does all that it does."""

    def meeting(self, name, prepare, command, other, check):
        """other: what the shell runs beside it. check(what, the first one's end, the other's exit status)"""
        status = os.path.join(self.home.folder, "status")
        what = prepare()
        edges = self.kill_at(0, *command(what), script="true").edges
        for k in range(1, edges + 1):
            what = prepare()
            script = "%s >other.out 2>other.err; echo $? >%s" % (other(what), status)
            with self.subTest(k=k):
                end = self.kill_at(k, *command(what), script=script)
                with open(status, encoding="utf-8") as f:
                    check(what, end, int(f.read()))
        print("\nmeasured: %s: held at %d of %d edges" % (name, k, edges))
        self.assertGreater(edges, 20)

    def failed_run(self):
        """A run that fails, and would not if it were tried again; beside it one that has completed."""
        if os.path.exists(self.notes + ".go"):
            os.unlink(self.notes + ".go")
        self.clock.move(1000, 0)
        path = self.pipeline(self.step("train", 'test -e "$NOTES.go" && echo y >"$CTCD_ARTIFACTS/f"\n'),
                             schedule="", name="retried")
        self.home.run("pipeline", "run", path, status=1)
        self.let_go()
        self.clock.move(10000, 0)
        return self.query("SELECT uuid FROM runs ORDER BY id DESC LIMIT 1")[0][0]

    def test_gc_and_retry(self):
        """Either the run goes, and cannot be retried, or it is retried, and stays."""
        def check(uuid, end, gc):
            self.assertEqual(gc, 0)
            runs = self.query("SELECT status FROM runs WHERE uuid = ?", uuid)
            folder = os.path.join(self.home.path, "runs", uuid)
            if runs:
                self.assertEqual((runs, end.status), ([("completed",)], 0), end)
                self.assertTrue(os.path.exists(os.path.join(folder, "train", "2", "artifacts", "f")))
            else:
                self.assertEqual(end.status, 3, end)
                self.assertIn("next: ", end.err)
                self.assertFalse(os.path.exists(folder) and os.listdir(folder) not in ([], ["lock"]))
                self.home.run("gc")
                self.assertFalse(os.path.exists(folder))
            self.check_once_of_those_left()
        self.meeting("gc beside a retry", self.failed_run, lambda uuid: ["run", "retry", uuid],
                     lambda uuid: self.home.ctcd + " gc --older-than 5s", check)

    def check_once_of_those_left(self):
        noted = self.noted()
        self.assertEqual(len(noted), len(set(noted)), "an attempt was started twice")
        self.assertEqual(self.query("SELECT name FROM runs WHERE status IN ('pending', 'running')"), [])
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))

    def test_two_daemons(self):
        """Both would take up one run: one of them does, and the other one says that there is a daemon."""
        def interrupted():
            path = self.pipeline(self.step("train", self.OUTPUT, "outputs: [x]")
                                 + self.step("after", "true", "inputs: {x: train.x}"), schedule="", name="taken-up")
            self.assertTrue(self.kill_at("process:1", "pipeline", "run", path).killed)
            return self.query("SELECT uuid FROM runs ORDER BY id DESC LIMIT 1")[0][0]

        def check(uuid, end, other):
            self.assertIn((end.status, other), ((0, 0), (0, 6), (6, 0)), end)
            self.assertEqual(self.query("SELECT status FROM runs WHERE uuid = ?", uuid), [("completed",)])
            resumed = self.query("SELECT count(*) FROM events WHERE kind = 'run_resumed' AND subject = ?", uuid)
            self.assertEqual(resumed, [(1,)])
            self.check_once()
        self.meeting("a daemon beside a daemon", interrupted, lambda _: ["daemon", "--until-idle"],
                     lambda _: self.home.ctcd + " daemon --until-idle", check)


if __name__ == "__main__":
    unittest.main()
