"""Cron schedules through `ctcd schedule next`: the cases of tests/table/cron_cases.tsv, what is refused, zones.

Columns of the table: id, kind (next, never, error), source, policy (any, or the engines for which the row holds),
dialect (nstep: it has N/step), expr, tz, start, inclusive (1: a fire equal to start counts), expected, note."""

import datetime
import os
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

DIALECTS = ("vixie", "robfig", "cronos")
ZONEINFO = "/usr/share/zoneinfo"


def cases():
    with open(os.path.join(support.SOURCE, "tests", "table", "cron_cases.tsv"), encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split("\t")
        return [dict(zip(names, line.rstrip("\n").split("\t"))) for line in file]


def line_of(row, dialect):
    """-> (the line for --batch, the answer; None = an error)"""
    if row["kind"] == "error":
        return "\t".join((row["expr"], "UTC", "2026-01-01T00:00:00Z", "1", dialect)), None
    start = datetime.datetime.fromisoformat(row["start"])
    if row["inclusive"] == "1":
        start -= datetime.timedelta(seconds=1)
    fires = [] if row["kind"] == "never" else row["expected"].split(" ")
    line = "\t".join((row["expr"], row["tz"], start.isoformat(), str(max(1, len(fires))), dialect))
    return line, " ".join(fires).replace("+00:00", "Z") or "never"


class Batch(support.HomeCase):
    def batch(self, lines, *args, **how):
        said = self.home.run("schedule", "next", "--batch", *args, stdin="".join(line + "\n" for line in lines), **how)
        self.assertEqual(said.err, "")
        self.assertFalse(os.path.exists(self.home.path), "a home was made")
        answers = said.out.splitlines()
        self.assertEqual(len(answers), len(lines))
        return answers

    def one(self, *columns):
        return self.batch(["\t".join(columns)])[0]


class Cases(Batch):
    def test_all_rows(self):
        rows = cases()
        self.assertGreater(len(rows), 800)
        asked, left = [], {}
        for row in rows:
            policies = row["policy"].split(",")
            for dialect in DIALECTS:
                if dialect in policies or "any" in policies:
                    asked.append((row, dialect) + line_of(row, dialect))
                else:
                    left.setdefault((dialect, row["policy"]), []).append(row["id"])
        answers = self.batch([a[2] for a in asked])
        for (row, dialect, line, want), answer in zip(asked, answers):
            with self.subTest(row=row["id"], dialect=dialect):
                if want is None:
                    self.assertRegex(answer, r"\Aerror: .")
                else:
                    self.assertEqual(answer, want, "%s %s" % (line, row["source"]))
        for (dialect, policy), ids in sorted(left.items()):
            print("\nnot for %s, another answer is right there (rows for %s): %s" % (dialect, policy, " ".join(ids)))
        counts = ["%s %d" % (d, sum(a[1] == d for a in asked)) for d in DIALECTS]
        used = {row["id"] for row, *_ in asked}
        self.assertEqual(used, {row["id"] for row in rows}, "a row that no dialect was asked")
        print("\nmeasured: %d rows of cron_cases.tsv, asked %d times: %s" % (len(used), len(asked), ", ".join(counts)))

    def test_many_lines(self):
        """100,000 lines a second where nobody else is busy."""
        lines = [line_of(row, "vixie")[0].split("\t") for row in cases() if row["kind"] == "next"]
        lines = ["\t".join(c[:3] + ["1", "vixie"]) for c in lines]
        lines = (lines * (100000 // len(lines) + 1))[:100000]
        begun = time.monotonic()
        answers = self.batch(lines)
        took = time.monotonic() - begun
        self.assertFalse([a for a in answers if a.startswith("error")][:1])
        print("\nmeasured: %.0f lines a second" % (len(lines) / took))
        self.assertLess(took, 1.0 if os.environ.get("TEST_QUIET") else 30.0)


class Lines(Batch):
    NOON = "2026-06-01T12:00:00Z"

    def test_what_may_be_left_out(self):
        self.assertEqual(self.one("0 0 1 1 *", "", self.NOON), "2027-01-01T00:00:00Z")
        self.assertEqual(self.one("0 0 1 1 *", "Z", self.NOON, "2", ""), "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z")
        self.assertRegex(self.one("@hourly"), r"\A\d{4}-\d\d-\d\dT\d\d:00:00Z\Z")

    def test_wrong_lines_do_not_end_it(self):
        answers = self.batch(["@daily\tUTC\tsoon", "@daily\tUTC\t%s\t0" % self.NOON, "@daily\tUTC\t%s\t1\tquartz" % self.NOON,
                              "@daily\tEurope/Nowhere\t%s" % self.NOON, "a\tb\tc\td\te\tf", "", "0 0 30 2 *",
                              "@daily\tUTC\t%s\r" % self.NOON])
        for answer, word in zip(answers, ("soon", "count", "quartz", "Europe/Nowhere", "columns", "0 fields")):
            self.assertRegex(answer, r"\Aerror: .*" + word)
        self.assertEqual(answers[6:], ["never", "2026-06-02T00:00:00Z"])

    def test_strange_bytes(self):
        """Whatever comes in: one line for each, and an end."""
        said = subprocess.run([support.CTCD, "schedule", "next", "--batch"], timeout=support.SAFETY,
                              input=b"@daily\0\n\xff * * * *\n" + b"*" * 100000 + b"\n* * * * *\x1b[2J\n", stdout=subprocess.PIPE)
        self.assertEqual(said.returncode, 0)
        self.assertEqual([line[:6] for line in said.stdout.splitlines()], [b"error:"] * 4)
        self.assertNotIn(b"\x1b", said.stdout)

    def test_more_fields(self):
        lines = ["0/20 0 12 * * *\t\t%s\t3" % self.NOON, "* * * * *"]
        answers = self.batch(lines, "--seconds")
        self.assertEqual(answers[0], "2026-06-01T12:00:20Z 2026-06-01T12:00:40Z 2026-06-02T12:00:00Z")
        self.assertIn("has 5 fields, not the 6", answers[1])
        lines = ["0 0 29 2 * 2027-2060/5\t\t%s\t3" % self.NOON, "0 0 1 1 * 2025\t\t%s" % self.NOON, "0 0 29 2 * 2027",
                 "0 0 1 1 * 1969", "@yearly\t\t%s" % self.NOON]
        answers = self.batch(lines, "--year")
        self.assertEqual(answers[0], "2032-02-29T00:00:00Z 2052-02-29T00:00:00Z")
        self.assertEqual(answers[1:3], ["never", "never"])
        self.assertIn("the year field, at character 11", answers[3])
        self.assertEqual(answers[4], "2027-01-01T00:00:00Z")

    def test_days(self):
        """L, W and #, against a calendar."""
        for expr, want in [("0 0 L * *", "06-30 07-31 08-31"), ("0 0 L-2 * *", "06-28 07-29 08-29"),
                           ("0 0 LW 8-10 *", "08-31 09-30 10-30"), ("0 0 1W 8-11 *", "08-03 09-01 10-01 11-02"),
                           ("0 0 31w 10-12 *", "10-30 12-31"), ("0 0 15W 8,11 *", "08-14 11-16"),
                           ("0 0 * * 5L", "06-26 07-31"), ("0 0 * * friL", "06-26 07-31"),
                           ("0 0 * * 7l", "06-28 07-26"), ("0 0 * * mon#5", "06-29 08-31"),
                           ("0 0 * * 0#1,6#1", "06-06 06-07 07-04 07-05"), ("0 0 1,L 7 *", "07-01 07-31")]:
            with self.subTest(expr=expr):
                answer = self.one(expr, "", self.NOON, str(len(want.split())))
                self.assertEqual([t[5:10] for t in answer.split(" ")], want.split())

    def test_what_is_wrong(self):
        """Field, character, and what may stand there."""
        for expr, place, hint in [("0 24 * * *", "the hour field, at character 3", "0-23"),
                                  ("0 0 32 * *", "the day field, at character 5", "1-31"),
                                  ("0 0 * 1,13 *", "the month field, at character 9", "jan-dec"),
                                  ("0 0 * * 8", "the weekday field, at character 9", "0 and 7 are Sunday"),
                                  ("  5-  0 * * *", "the minute field, at character 5", "0-59"),
                                  ("0 22-2 * * *", "the hour field, at character 3", "0-23"),
                                  ("0 0 1,15W * *", "the day field, at character 7", "15W"),
                                  ("0 0 * * 5#6", "the weekday field, at character 9", "5#2"),
                                  ("0 0 ? * *", "the day field, at character 5", "1-31")]:
            with self.subTest(expr=expr):
                said = self.home.run("schedule", "next", "--cron", expr, status=2)
                self.assertIn('%s of "%s"' % (place, expr), said.err)
                self.assertIn(hint, said.err)
        for expr, word in [("* * * *", "has 4 fields"), ("* * * * * *", "--seconds"), ("@dayly", "did you mean @daily"),
                           ("@every 5m", "interval"), ("CRON_TZ=UTC * * * * *", "--timezone"), ("", "0 fields"),
                           ("0 0 30 2 *", "can never fire"), ("1," * 200 + "1 * * * *", "255")]:
            with self.subTest(expr=expr):
                self.assertIn(word, self.home.run("schedule", "next", "--cron", expr, status=2).err)

    def test_dialects_differ(self):
        for expr, dialect, want in [("0 22-2/2 * * *", "cronos", "22:00 00:00 02:00"), ("0 0 ? * *", "cronos", "00:00"),
                                    ("? 5 * * *", "robfig", "05:00 05:01"), ("1/61 * * * *", "robfig", "13:01")]:
            with self.subTest(expr=expr):
                answer = self.one(expr, "", "2026-06-01T12:30:00Z", str(len(want.split())), dialect)
                self.assertEqual([t[11:16] for t in answer.split(" ")], want.split())
        self.assertIn("error", self.one("? * * * *", "", self.NOON, "1", "cronos"))

    def test_far_away(self):
        self.assertEqual(self.one("0 0 29 2 *", "", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z")
        self.assertEqual(self.one("0 0 29 2 1", "", "2025-01-01T00:00:00Z", "1", "cronos"), "2044-02-29T00:00:00Z")
        self.assertEqual(self.one("0 0 1 7 *", "Europe/Paris", "2900-01-01T00:00:00Z"), "2900-07-01T00:00:00+02:00")
        self.assertEqual(self.one("0 0 1 7 *", "Europe/Paris", "9998-12-01T00:00:00Z", "9"), "9999-07-01T00:00:00+02:00")
        self.assertEqual(self.one("0 0 * * *", "Asia/Tokyo", "9999-12-31T23:59:59Z"), "never")
        self.assertEqual(self.one("0 0 * * *", "", "0001-01-01T00:00:00Z")[:4], "0001")
        # Sundays at 02:30 on which the clock is set forward, and nothing is moved: known, not searched for ever
        begun = time.monotonic()
        self.assertEqual(self.one("30 2 * 3 sun#2", "America/New_York", self.NOON, "1", "robfig"), "never")
        self.assertLess(time.monotonic() - begun, 30)


class Zones(Batch):
    def refused(self, zone, word, status=2, **how):
        said = self.home.run("schedule", "next", "--cron", "@daily", "--timezone", zone, status=status, **how)
        self.assertIn(word, said.err)
        self.assertEqual(said.out, "")

    def test_names_stay_in_the_folder(self):
        self.refused("Europe/Pariss", "Europe/Pariss", status=3)
        self.refused("europe/paris", "europe/paris", status=3)
        for name in ("../../../etc/hosts", "/etc/localtime", "Europe/../UTC", ".", "Europe/", "Europe//Paris", "", "a b",
                     "tzdata.zi", "A" * 100, "localtime", "posixrules"):
            with self.subTest(name=name):
                self.refused(name, "time zone")
        self.refused("Europe", "Europe", status=3)

    def test_what_is_no_zone(self):
        folder = os.path.join(self.home.folder, "zones")
        os.makedirs(os.path.join(folder, "Inside"))
        env = {"TZDIR": folder}
        self.refused("Europe/Paris", folder, status=3, env=env)
        shutil.copy(os.path.join(ZONEINFO, "Europe/Paris"), os.path.join(folder, "Inside/Paris"))
        os.symlink("Inside/Paris", os.path.join(folder, "Link"))
        os.symlink(os.path.join(ZONEINFO, "Europe/Paris"), os.path.join(folder, "Outside"))
        for zone in ("Inside/Paris", "Link"):
            said = self.home.run("schedule", "next", "--cron", "@yearly", "--timezone", zone, "--count=1", env=env)
            self.assertRegex(said.out, r"01-01T00:00:00\+01:00")
        self.refused("Outside", "leads out of", status=4, env=env)
        with open(os.path.join(folder, "Inside/Paris"), "rb") as file:
            bytes_ = file.read()
        for number, wrong in enumerate((b"", b"TZif2", b"hello" * 100, bytes_[:-30], bytes_[:60], bytes_.replace(b"\nCET", b"\nC,T"))):
            with self.subTest(number=number):
                with open(os.path.join(folder, "Broken"), "wb") as file:
                    file.write(wrong)
                self.refused("Broken", "cannot be read", status=1, env=env)

    def test_not_the_process_zone(self):
        want = "2026-06-02T00:00:00Z\n"
        for zone in ("America/New_York", "UTC-5", ":/etc/localtime"):
            said = self.home.run("schedule", "next", "--cron", "@daily", "--after", Lines.NOON, "-n", "1", env={"TZ": zone})
            self.assertEqual(said.out, want)


if __name__ == "__main__":
    unittest.main()
