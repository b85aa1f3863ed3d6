"""Schedules under a clock that is held and moved: which nominal times become runs, once, and what becomes
of the others, whatever happens to the daemon and to the clock."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from scheduling import MINUTE, SchedulingCase, instant

TEN = range(10)


class Fires(SchedulingCase):
    """The seed's schedule: 60 s, ten minutes."""

    def test_next_prints_ten(self):
        said = self.home.run("schedule", "next", "--interval", "60s", "--start", instant(self.start),
                             "--end", "+10m").out
        self.assertEqual(said.split(), [instant(self.start + k * MINUTE) for k in TEN])

    def test_ten_runs_as_the_clock_goes(self):
        self.create(self.pipeline())
        process = self.daemon("--until-idle")
        for k in TEN:
            self.clock.to(self.start + k * MINUTE)
            self.wait_ended(k + 1)
        self.clock.to(self.start + 10 * MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(*TEN))
        self.assertEqual(self.drops(), [])
        self.assertEqual([row[0] for row in self.query("SELECT started_ms FROM runs ORDER BY id")],
                         [self.start + k * MINUTE for k in TEN])
        self.check_once()

    def test_a_look_between_two_instants(self):
        """The nominal times are exact, however late they are noticed."""
        self.create(self.pipeline())
        process = self.daemon("--until-idle")
        for k in TEN:
            self.clock.to(self.start + k * MINUTE + 59999)
            self.wait_ended(k + 1)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(*TEN))
        self.check_once()

    def test_what_a_step_is_told(self):
        self.create(self.pipeline(self.step(
            "train", 'echo "$CTCD_NOMINAL_TIME,$CTCD_PREVIOUS_NOMINAL_TIME,$CTCD_HOME,$CTCD_PIPELINE_NAME,'
                     '$CTCD_RUN_NAME,$CTCD_DATA_INTERVAL_START,$CTCD_DATA_INTERVAL_END,$CTCD_STACK" >>told'), "interval: 60s, start: now, end: +2m, catchup: all"))
        self.clock.move(2 * MINUTE)
        self.until_idle()
        with open(os.path.join(self.home.folder, "told"), encoding="utf-8") as told:
            lines = [line.strip().split(",") for line in told]
        names = [row[0] for row in self.query("SELECT name FROM runs ORDER BY id")]
        first, second = instant(self.start), instant(self.start + MINUTE)
        self.assertEqual(lines, [[first, "", self.home.path, "seed", names[0], "", first, "default"],
                                 [second, first, self.home.path, "seed", names[1], first, second, "default"]])


class Cron(SchedulingCase):
    """The same with a cron expression, by the clock on a wall that goes 20 minutes and 45 apart from UTC."""

    SCHEDULE = "cron: '*/20 * * * *', timezone: Asia/Kathmandu, start: now, end: +2h, catchup: %s, overlap: buffer_all"

    def minutes(self, *which):
        return [(m, "completed") for m in which]

    def test_missed_and_on_time(self):
        """In Nepal it is 05:45 when this begins: 06:00 is 15 minutes later. Down from then until 35 minutes later."""
        for catchup, runs, drops in [("all", (15, 35, 55), {}), ("latest", (55,), {15: "coalesced", 35: "coalesced"}),
                                     ("skip", (), {15: "missed", 35: "missed", 55: "missed"})]:
            with self.subTest(catchup):
                self.start = self.clock.wall
                self.create(self.pipeline(name=catchup, schedule=self.SCHEDULE % catchup))
                before = self.query("SELECT count(*) FROM runs")[0][0]
                self.clock.to(self.start + 60 * MINUTE)
                process = self.daemon("--until-idle")
                self.wait_query(self.clock.wall, "SELECT last_processed_ms FROM schedules WHERE name = ?", catchup)
                self.wait_ended(before + len(runs))
                for done, minute in enumerate((75, 95, 115), 1):
                    self.clock.to(self.start + minute * MINUTE)
                    self.wait_ended(before + len(runs) + done)
                self.clock.to(self.start + 120 * MINUTE)
                self.assertEqual(process.wait(support.SAFETY), 0, self.said())
                self.assertEqual(self.runs(catchup), self.minutes(*runs, 75, 95, 115))
                self.assertEqual(self.drops(catchup), sorted(drops.items()))
                self.clock.to(self.start + 24 * 60 * MINUTE)
        self.check_once()

    def test_what_is_shown(self):
        said = self.home.run("schedule", "create", self.pipeline(name="nightly", schedule=self.SCHEDULE % "all")).out
        self.assertIn("nightly: at */20 * * * * Asia/Kathmandu.", said)
        said = self.home.run("schedule", "describe", "nightly").out
        self.assertRegex(said, r"(?m)^CRON +\*/20 \* \* \* \*$")
        self.assertRegex(said, r"(?m)^DIALECT +vixie$")
        self.assertRegex(said, r"(?m)^TIMEZONE +Asia/Kathmandu$")
        self.assertNotIn("EVERY", said)
        self.assertRegex(self.home.run("schedule", "list").out, r"(?m)^nightly +nightly +\*/20 \* \* \* \* Asia/Kathmandu +")
        record = self.home.json("schedule", "describe", "nightly")
        self.assertEqual([record[k] for k in ("cron", "timezone", "dialect", "seconds", "year")],
                         ["*/20 * * * *", "Asia/Kathmandu", "vixie", False, False])

    def test_a_step_knows_its_times(self):
        script = 'echo "$CTCD_NOMINAL_TIME $CTCD_PREVIOUS_NOMINAL_TIME" >>"$NOTES.times"\n' + self.OUTPUT
        self.create(self.pipeline(steps=self.step("train", script, "outputs: [x]"), schedule=self.SCHEDULE % "all"))
        self.clock.to(self.start + 121 * MINUTE)
        self.until_idle()
        with open(self.notes + ".times", encoding="utf-8") as file:
            times = [line.rstrip("\n").split(" ") for line in file]
        want = [instant(self.start + m * MINUTE) for m in range(15, 120, 20)]
        self.assertEqual(times, [[t, p] for t, p in zip(want, [""] + want)])

    def test_what_is_no_schedule(self):
        for schedule, status, word in [("cron: '0 0 30 2 *'", 2, "never"), ("cron: '@daily', timezone: Asia/Katmandoo", 3, "Katmandoo"),
                                       ("cron: '0 22-2 * * *'", 2, "backwards")]:
            with self.subTest(schedule):
                path = self.pipeline(schedule=schedule)
                for command in (("schedule", "create"), ("pipeline", "validate")):
                    self.assertIn(word, self.home.run(*command, path, status=status).err)


class Down(SchedulingCase):
    """No daemon for three intervals: each nominal time has a run or a recorded drop."""

    CASES = [
        # catchup, overlap, minutes that run when it comes back half a minute late, drops
        ("latest", "skip", (3,), {1: "coalesced", 2: "coalesced"}),
        ("latest", "buffer_all", (3,), {1: "coalesced", 2: "coalesced"}),
        ("all", "skip", (1, 2, 3), {}),
        ("all", "buffer_all", (1, 2, 3), {}),
        ("skip", "skip", (), {1: "missed", 2: "missed", 3: "missed"}),
        ("skip", "buffer_all", (), {1: "missed", 2: "missed", 3: "missed"}),
    ]

    def run_case(self, catchup, overlap, caught_up, dropped, back_at):
        name = "s-%s-%s-%d" % (catchup, overlap.replace("_", "-"), back_at)
        self.start = self.clock.wall
        self.create(self.pipeline(name=name, schedule="interval: 60s, start: now, end: +10m, catchup: %s, "
                                                      "overlap: %s" % (catchup, overlap)))
        before = self.query("SELECT count(*) FROM runs")[0][0]
        process = self.daemon()
        self.wait_ended(before + 1)
        self.kill(process)
        self.clock.to(self.start + back_at)
        process = self.daemon("--until-idle")
        done = before + 1 + len(caught_up)
        self.wait_ended(done)
        for k in range(4, 10):
            self.clock.to(self.start + k * MINUTE)
            done += self.start + k * MINUTE > self.start + back_at or k not in caught_up
            self.wait_ended(done)
        self.clock.to(self.start + 10 * MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        runs, drops = self.runs(name), self.drops(name)
        self.assertEqual(drops, sorted(dropped.items()))
        self.assertEqual(runs, self.completed(*sorted({0, *caught_up, *range(4, 10)})))
        self.assertEqual(sorted([r[0] for r in runs] + [d[0] for d in drops]), list(TEN))

    def test_back_between_two_fires(self):
        for case in self.CASES:
            with self.subTest(case[:2]):
                self.run_case(*case, back_at=3 * MINUTE + 30000)
        self.check_once()

    def test_back_at_the_very_instant_of_a_fire(self):
        """That one is on time: it is not caught up, and it is newer than all that were missed."""
        for catchup, overlap, caught_up, dropped in self.CASES:
            if catchup == "latest":
                caught_up, dropped = (), {k: "coalesced" for k in (1, 2, 3)}
            with self.subTest((catchup, overlap)):
                # Several due in one look, as after "all", wait for each other; only overlap: skip drops.
                if catchup == "all" and overlap == "skip":
                    continue
                self.run_case(catchup, overlap, (*caught_up, 4), dropped, back_at=4 * MINUTE)
        self.check_once()

    def test_all_and_skip_at_the_very_instant(self):
        """The missed ones run; the one on time finds them still waiting."""
        self.create(self.pipeline(schedule="interval: 60s, start: now, end: +5m, catchup: all, overlap: skip"))
        self.clock.move(4 * MINUTE)
        process = self.daemon("--until-idle")
        self.wait_ended(4)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0, 1, 2, 3))
        self.assertEqual(self.drops(), [(4, "overlap_skipped")])

    def test_before_the_first_daemon(self):
        self.create(self.pipeline())
        self.clock.move(20 * MINUTE)
        self.until_idle()
        self.assertEqual(self.runs(), self.completed(9))
        self.assertEqual(self.drops(), [(k, "coalesced") for k in range(9)])
        said = self.home.run("schedule", "describe", "seed").out
        self.assertRegex(said, r"(?m)^DROPS +9$")
        self.assertRegex(said, r"(?m)^2026-01-01T00:08:00Z +coalesced\n2026-01-01T00:07:00Z +coalesced$")

    def test_more_drops_than_are_printed(self):
        self.create(self.pipeline(schedule="interval: 1s, start: now, end: +30s, catchup: skip"))
        self.clock.move(MINUTE)
        self.until_idle()
        said = self.home.run("schedule", "describe", "seed").out
        self.assertEqual(said.count("missed"), 20)
        self.assertIn("schedule describe seed -o json", said)
        self.assertEqual(len(self.home.json("schedule", "describe", "seed")["dropped"]), 30)
        self.assertNotIn("dropped", self.home.json("schedule", "list")[0])

    def test_very_many_drops(self):
        self.create(self.pipeline(schedule="interval: 1s, start: now, end: +20000s, catchup: skip"))
        self.clock.move(20001 * 1000)
        self.until_idle()
        record = self.home.json("schedule", "describe", "seed")
        self.assertEqual((record["runs"], record["drops"]), (0, 20000))
        self.assertEqual([(d["nominal_ms"], d["last_ms"], d["count"], d["reason"]) for d in record["dropped"]],
                         [(self.start, self.start + 19999 * 1000, 20000, "missed")])
        self.assertIn("2026-01-01T00:00:00Z to 2026-01-01T05:33:19Z  missed",
                      self.home.run("schedule", "describe", "seed").out)

    def test_very_many_runs(self):
        """More than there are microseconds in the millisecond that names them."""
        self.create(self.pipeline(self.step("train", self.STAYS),
                                  "interval: 1s, start: now, end: +2500s, catchup: all, overlap: buffer_all"))
        self.clock.move(2501 * 1000)
        process = self.daemon()
        self.wait_query(2500, "SELECT count(*) FROM runs")
        self.wait_noted(1)
        self.assertEqual(self.query("SELECT count(DISTINCT name), count(DISTINCT nominal_ms) FROM runs"),
                         [(2500, 2500)])
        self.home.run("schedule", "delete", "seed")
        self.let_go()
        self.wait_ended(1)
        process.terminate()
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertEqual(self.query("SELECT count(*) FROM runs WHERE status = 'canceled'"), [(2499,)])
        self.check_once()


class Overlap(SchedulingCase):
    def fire_three(self, overlap):
        self.create(self.pipeline(self.step("train", self.STAYS),
                                  "interval: 60s, start: now, end: +3m, overlap: %s" % overlap))
        process = self.daemon("--until-idle")
        self.wait_noted(1)
        for _ in range(2):
            self.clock.move(MINUTE)
            self.wait_query(self.clock.wall, "SELECT last_processed_ms FROM schedules")
        return process

    def test_skip(self):
        process = self.fire_three("skip")
        self.let_go()
        self.wait_ended(1)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0))
        self.assertEqual(self.drops(), [(1, "overlap_skipped"), (2, "overlap_skipped")])
        self.check_once()

    def test_buffer_all(self):
        process = self.fire_three("buffer_all")
        self.assertEqual(self.runs(), [(0, "running"), (1, "pending"), (2, "pending")])
        self.let_go()
        self.wait_ended(3)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0, 1, 2))
        self.check_once()

    def test_a_run_that_a_crash_interrupted_still_counts(self):
        process = self.fire_three("skip")
        self.kill(process)
        self.clock.move(30000)
        process = self.daemon("--until-idle")
        self.let_go()
        self.wait_ended(1)
        self.clock.move(30000)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0))
        self.assertEqual(len(self.drops()), 2)
        self.check_once()


class Clocks(SchedulingCase):
    """The wall clock is set; the monotonic one never is. (A look comes by it at least once a second.)"""

    def live(self, catchup, end="+10m"):
        self.create(self.pipeline(schedule="interval: 60s, start: now, end: %s, catchup: %s" % (end, catchup)))
        process = self.daemon("--until-idle")
        self.wait_ended(1)
        return process

    def test_set_back_repeats_nothing(self):
        process = self.live("latest", "+3m")
        self.clock.move(MINUTE)
        self.wait_ended(2)
        for step in (-MINUTE, -30 * MINUTE, MINUTE):
            self.moved(process, step)
        self.moved(process, 30 * MINUTE, 30 * MINUTE)  # by both, as time goes: to the first minute again
        self.clock.move(MINUTE)
        self.wait_ended(3)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0, 1, 2))
        self.assertEqual(self.drops(), [])
        self.check_once()

    def test_set_forward_is_a_gap(self):
        """As if no daemon had been there, though it was: the machine may have slept."""
        for catchup, ran, dropped in [
                ("skip", (0,), [(k, "missed") for k in (1, 2, 3)]),
                ("latest", (0, 3), [(1, "coalesced"), (2, "coalesced")]),
                ("all", (0, 1, 2, 3), [])]:
            with self.subTest(catchup):
                self.start = self.clock.wall
                before = self.query("SELECT count(*) FROM runs")[0][0] if os.path.exists(self.home.path) else 0
                self.create(self.pipeline(name="s-" + catchup,
                                          schedule="interval: 60s, start: now, end: +5m, catchup: %s" % catchup))
                process = self.daemon("--until-idle")
                self.wait_ended(before + 1)
                self.clock.move(3 * MINUTE + 30000, 1000)
                self.wait_ended(before + len(ran))
                self.wait_query(self.clock.wall, "SELECT max(last_processed_ms) FROM schedules")
                self.clock.move(30000)
                self.wait_ended(before + len(ran) + 1)
                self.clock.move(MINUTE)
                self.assertEqual(process.wait(support.SAFETY), 0, self.said())
                self.assertEqual(self.runs("s-" + catchup), self.completed(*ran, 4))
                self.assertEqual(self.drops("s-" + catchup), dropped)
        self.check_once()

    def test_a_correction_is_no_gap(self):
        process = self.live("skip", "+3m")
        for k in range(2):
            self.clock.move(MINUTE, MINUTE - 5000)
            self.wait_ended(k + 2)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.runs(), self.completed(0, 1, 2))
        self.assertEqual(self.drops(), [])

    def test_new_fires_after_it_was_set_back_are_on_time(self):
        keep = self.pipeline(name="keep", schedule="interval: 24h, start: now, end: +24h, catchup: skip")
        self.create(keep)
        process = self.daemon()
        self.wait_ended(1)
        self.moved(process, -60 * MINUTE)
        self.start = self.clock.wall
        self.create(self.pipeline(schedule="interval: 60s, start: +60s, end: +3m, catchup: skip"))
        for k in range(1, 3):
            self.clock.move(MINUTE)
            self.wait_ended(1 + k)
        process.terminate()
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertEqual(self.runs(), self.completed(1, 2))
        self.assertEqual(self.drops(), [])


class Several(SchedulingCase):
    def test_two_schedules_at_once(self):
        path = self.pipeline(schedule="interval: 60s, start: now, end: +10m, overlap: buffer_all")
        self.create(path)
        self.create(path, "--name", "other")
        process = self.daemon("--until-idle")
        for k in TEN:
            self.clock.to(self.start + k * MINUTE)
            self.wait_ended(2 * k + 2)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        for name in ("seed", "other"):
            self.assertEqual(self.runs(name), self.completed(*TEN))
        self.check_once()

    def test_deleted_while_its_run_runs(self):
        self.create(self.pipeline(self.step("train", self.STAYS),
                                  "interval: 60s, start: now, end: +10m, overlap: buffer_all"))
        process = self.daemon("--until-idle")
        self.wait_noted(1)
        self.clock.move(2 * MINUTE)
        self.wait_query(3, "SELECT count(*) FROM runs")
        self.home.run("schedule", "delete", "seed")
        self.assertEqual(self.runs(), [(0, "running"), (1, "canceled"), (2, "canceled")])
        self.let_go()
        self.assertEqual(self.tick_until_end(process), 0, self.said())
        self.assertEqual(self.runs(), [(0, "completed"), (1, "canceled"), (2, "canceled")])
        self.check_once()

    def tick_until_end(self, process):
        """A deletion is seen at the next look, by the monotonic clock."""
        self.clock.tick()
        return process.wait(support.SAFETY)

    def test_a_namesake_has_nothing_to_do_with_the_one_before(self):
        path = self.pipeline(self.step("train", self.STAYS), "interval: 60s, start: now, end: +2m, overlap: skip")
        self.create(path)
        process = self.daemon("--until-idle")
        self.wait_noted(1)
        self.home.run("schedule", "delete", "seed")
        self.create(path)  # while the run of the deleted one still runs
        self.clock.move(1000)
        self.wait_query(1, "SELECT count(*) FROM runs WHERE status = 'pending'")
        self.let_go()
        self.wait_ended(2)
        self.clock.move(MINUTE)
        self.wait_ended(3)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertEqual(self.drops(), [])
        self.check_once()

    def test_the_stored_pipeline_counts(self):
        """Not what has become of its file since."""
        path = self.pipeline(self.step("train", 'echo "v1 $0 $1" >>which').replace(
            "[sh, train.sh]", '[sh, train.sh, "${params.word}"]'), "interval: 60s, start: now, end: +3m",
            top="params: {word: one}")
        self.create(path, "--param", "word=two")
        process = self.daemon("--until-idle")
        self.wait_ended(1)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.home.file("seed.yaml", text.replace("train.sh", "nosuch.sh").replace("one", "three"))
        self.clock.move(MINUTE)
        self.wait_ended(2)
        os.unlink(path)
        self.clock.move(MINUTE)
        self.wait_ended(3)
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        with open(os.path.join(self.home.folder, "which"), encoding="utf-8") as f:
            self.assertEqual(f.read().splitlines(), ["v1 train.sh two"] * 3)
        self.assertEqual([run["params"] for run in self.home.json("run", "list")], [{"word": "two"}] * 3)

    def test_a_folder_that_is_gone_fails_its_runs(self):
        os.mkdir(os.path.join(self.home.folder, "project"))
        self.home.file("project/p.yaml", "pipeline: seed\nsteps:\n  train:\n    command: ['true']\n"
                                         "schedule: {interval: 60s, start: now, end: +2m}\n")
        self.create(os.path.join(self.home.folder, "project", "p.yaml"))
        process = self.daemon("--until-idle")
        self.wait_ended(1)
        os.unlink(os.path.join(self.home.folder, "project", "p.yaml"))
        os.rmdir(os.path.join(self.home.folder, "project"))
        self.clock.move(MINUTE)
        self.wait_ended(1, "failed")
        self.clock.move(MINUTE)
        self.assertEqual(process.wait(support.SAFETY), 0, self.said())
        self.assertIn("project", self.home.json("run", "list")[0]["error"])


class TheDaemon(SchedulingCase):
    def test_nothing_to_do(self):
        self.until_idle()
        self.create(self.pipeline())
        self.clock.move(20 * MINUTE)
        self.until_idle()
        self.until_idle()
        self.assertEqual(self.query("SELECT count(*) FROM runs"), [(1,)])

    def test_a_second_one_is_refused(self):
        self.create(self.pipeline(self.step("train", self.STAYS)))
        self.daemon()
        self.wait_noted(1)
        said = self.home.run("daemon", "--until-idle", status=6)
        self.assertIn("one daemon for each home", said.err)
        self.let_go()

    def test_a_signal_cancels_the_run_of_the_moment(self):
        steps = (self.step("train", self.STAYS) + self.step("after", "true", "after: [train]")
                 + self.step("more", "true", "after: [after]"))
        self.create(self.pipeline(steps, "interval: 60s, start: now, end: +5m, overlap: buffer_all"))
        for k, number in enumerate((signal.SIGTERM, signal.SIGINT)):
            process = self.daemon()
            self.wait_noted(k + 1)
            self.clock.move(MINUTE)
            self.wait_query(k + 2, "SELECT count(*) FROM runs")
            process.send_signal(number)
            self.assertEqual(process.wait(support.SAFETY), 0, self.said())
            run = self.home.json("run", "list", "--limit", "2")[1]
            self.assertEqual((run["status"], run["error"]), ("canceled", "the run was cancelled"))
            self.assertEqual([(s["status"], s["error"]) for s in run["steps"][1:]],
                             [("skipped", "the run was cancelled")] * 2)
            self.assertEqual(run["steps"][0]["status"], "canceled")
            self.assertEqual(self.home.left(), [])
        self.let_go()
        self.clock.move(30 * MINUTE)
        self.until_idle()
        self.assertEqual(self.runs(), [(0, "canceled"), (1, "canceled"), (2, "completed"), (4, "completed")])
        self.assertEqual(self.drops(), [(3, "coalesced")])
        self.check_once()

    def test_a_run_that_cannot_be_carried_out_is_abandoned(self):
        """It is not taken up again and again."""
        self.create(self.pipeline(schedule="interval: 60s, start: now, end: +3m, catchup: all"))
        self.home.file("ctcd/runs", "not a folder")
        self.clock.move(5 * MINUTE)
        self.until_idle()
        self.assertEqual(self.runs(), [(k, "abandoned") for k in range(3)])
        for run in self.home.json("run", "list"):
            self.assertIn("runs", run["error"])
        self.assertEqual(self.said().count("abandoned"), 3)

    def test_runs_by_hand_beside_it(self):
        """It takes none of them for a dead process's."""
        self.clock.tick()
        self.daemon()
        path = self.pipeline(schedule="")
        for _ in range(20):
            self.home.run("pipeline", "run", path)
        self.assertNotIn("taking it up", self.said())
        self.check_processes_but_the_daemon()

    def check_processes_but_the_daemon(self):
        self.assertEqual(len(self.home.processes()), 1)


if __name__ == "__main__":
    unittest.main()
