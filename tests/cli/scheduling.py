"""What the suites of schedules, runs and steps share: a home with a clock of its own, pipelines whose steps
are small shell scripts that note each of their starts, and the proof that everything ran once."""

import os
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

MINUTE = 60000
KILL_AT = os.path.join(support.BUILD, "test", "kill-at")
KILLED, ENDED_WELL = 0, 99  # what it ends with


def instant(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


class SchedulingCase(support.HomeCase):
    ctcd = support.CTCD_TEST

    def setUp(self):
        super().setUp()
        self.clock = support.Clock(os.path.join(self.home.folder, "clock"))
        self.start = self.clock.wall
        self.home.env["CTCD_TEST_CLOCK"] = os.path.join(self.home.folder, "clock")
        self.home.env["NOTES"] = self.notes = os.path.join(self.home.folder, "notes")

    def close_home(self):
        try:
            super().close_home()
        finally:
            self.clock.close()

    # ---- pipelines ----------------------------------------------------------------------------
    def pipeline(self, steps="", schedule="interval: 60s, start: now, end: +10m", name="seed", top=""):
        """A file. Steps: those given, or one that notes its start and leaves an output."""
        steps = steps or self.step("train", self.OUTPUT, "outputs: [x]")
        text = "pipeline: %s\n%s\nsteps:\n%s" % (name, top, steps)
        if schedule:
            text += "schedule: {%s}\n" % schedule
        return self.home.file(name + ".yaml", text)

    def step(self, name, script, *keys):
        """One that notes its start before all else: one write to a file that is opened with O_APPEND."""
        self.home.file("%s.sh" % name, 'echo "$CTCD_RUN_ID $CTCD_STEP_NAME $CTCD_ATTEMPT" >>"$NOTES"\n%s\n'
                       % script)
        lines = ["  %s:" % name, "    command: [sh, %s.sh]" % name] + ["    " + key for key in keys]
        return "\n".join(lines) + "\n"

    OUTPUT = """echo '{"x": 1}' >"$CTCD_OUTPUTS\""""
    # A script for a step that stays until it is told to go on, whoever watches it.
    STAYS = 'while [ ! -e "$NOTES.go" ]; do sleep 0.02; done\n'

    def let_go(self):
        self.home.file("notes.go", "")

    def create(self, path, *args):
        self.home.run("schedule", "create", path, *args)

    # ---- the daemon ---------------------------------------------------------------------------
    def daemon(self, *args):
        """Starts it; what it says is in the file `daemon.log`."""
        with open(os.path.join(self.home.folder, "daemon.log"), "ab") as log:
            return self.home.start("daemon", *args, stderr=log)

    def said(self):
        path = os.path.join(self.home.folder, "daemon.log")
        if not os.path.exists(path):
            return "(no daemon)"
        with open(path, encoding="utf-8") as log:
            return log.read()

    def until_idle(self, status=0):
        process = self.daemon("--until-idle")
        self.assertEqual(process.wait(support.SAFETY), status, self.said())

    def kill(self, process):
        """kill -9, and nothing else of it is touched."""
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(support.SAFETY), -signal.SIGKILL)

    def moved(self, process, wall, mono=1000):
        """Moves the clock, and waits until the daemon has woken, looked, and sleeps again."""
        def sleeps():
            with open("/proc/%d/status" % process.pid, encoding="utf-8") as status:
                fields = dict(line.split(":", 1) for line in status)
            return int(fields["voluntary_ctxt_switches"]), fields["State"].split()[0] == "S"
        before = sleeps()[0]
        self.clock.move(wall, mono)
        self.assertTrue(support.wait_for(lambda: sleeps()[0] > before and sleeps()[1]))

    # ---- what is in the store -----------------------------------------------------------------
    def query(self, sql, *values):
        db = sqlite3.connect("file:%s/ctcd.db?mode=ro" % self.home.path, uri=True, timeout=60)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def wait_query(self, wanted, sql, *values):
        """Until the first column of the first row is what is wanted."""
        last = []

        def ask():
            rows = self.query(sql, *values)
            last[:] = rows
            return rows and rows[0][0] == wanted
        self.assertTrue(support.wait_for(ask), "%s: %s, not %s\n%s" % (sql, last, wanted, self.said()))

    def wait_ended(self, count, status="completed"):
        self.wait_query(count, "SELECT count(*) FROM runs WHERE status = ?", status)

    def wait_noted(self, count):
        self.assertTrue(support.wait_for(lambda: len(self.noted()) >= count), self.noted())

    def runs(self, schedule="seed"):
        """[(minute of the nominal time after the start, status)], in that order."""
        rows = self.home.json("run", "list", "--schedule", schedule, "--limit", "100000")
        return sorted(((run["nominal_ms"] - self.start) / MINUTE, run["status"]) for run in rows)

    def drops(self, schedule="seed"):
        """[(minute, reason)], as `schedule describe` tells them."""
        record = self.home.json("schedule", "describe", schedule)
        found = []
        for drop in record["dropped"]:
            self.assertEqual((drop["count"], drop["last_ms"]), (1, drop["nominal_ms"]))
            found.append(((drop["nominal_ms"] - self.start) / MINUTE, drop["reason"]))
        self.assertEqual(record["drops"], len(found))
        self.assertEqual(found, sorted(found, reverse=True), "newest first")
        return sorted(found)

    def completed(self, *minutes):
        return [(minute, "completed") for minute in minutes]

    def noted(self):
        """[(run, step, attempt)] in the order in which steps started."""
        if not os.path.exists(self.notes):
            return []
        with open(self.notes, encoding="utf-8") as notes:
            return [(run, step, int(attempt)) for run, step, attempt in map(str.split, notes)]

    def check_once(self):
        """Each attempt started at most once, none that is not in the store; and all has ended."""
        noted = self.noted()
        self.assertEqual(len(noted), len(set(noted)), "an attempt was started twice")
        rows = self.query("SELECT run, name, attempt, status, error FROM step_runs")
        self.assertLessEqual(set(noted), set(row[:3] for row in rows), "a start that the store does not know")
        for run, name, attempt, status, error in rows:
            self.assertNotIn(status, ("running", "pending"), (run, name, attempt))
            if status == "completed" and os.path.exists(os.path.join(self.home.folder, name + ".sh")):
                self.assertIn((run, name, attempt), noted)
        self.assertEqual(self.query("SELECT name FROM runs WHERE status IN ('pending', 'running')"), [])
        self.assertEqual(self.home.left(), [])
