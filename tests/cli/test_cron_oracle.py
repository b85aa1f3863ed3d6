"""Cron in all time zones of the system, against an oracle of its own (cron_oracle.py): 20 expressions, 36 hours
around each change of the clock from 1970 to 2037, and sampled days. Here a sample; all of it where the machine is
quiet (`make check-slow`)."""

import collections
import itertools
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cron_oracle
import support

ZONEINFO = "/usr/share/zoneinfo"
HOURS = 3600
AROUND = 36 * HOURS
MARGIN = 3 * cron_oracle.DAY
ALL = bool(os.environ.get("TEST_QUIET"))
SAMPLE = {"Africa/Casablanca", "Africa/Monrovia", "America/Caracas", "America/New_York", "America/Scoresbysund", "America/St_Johns",
          "Antarctica/Casey", "Antarctica/Troll", "Asia/Amman", "Asia/Pyongyang", "Australia/Lord_Howe", "Europe/Dublin",
          "Pacific/Apia", "Pacific/Kwajalein"}
EXPRESSIONS = [cron_oracle.Expression(text) for text in cron_oracle.EXPRESSIONS]
DIALECTS = ("vixie", "robfig", "cronos")


def zones():
    """-> {contents: [names]}: each file of the folder that is one of time zones."""
    found = collections.defaultdict(list)
    for folder, folders, names in os.walk(ZONEINFO):
        folders[:] = sorted(set(folders) - {"right", "posix"})
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                contents = file.read()
            name = os.path.relpath(path, ZONEINFO)
            if contents[:4] == b"TZif" and name not in ("localtime", "posixrules"):
                found[contents].append(name)
    return found


class Oracle(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.asked = self.windows = self.fires = 0

    def ask(self, questions):
        """[(zone, expression, dialect, begin, [fires], stretches)]: the fires after begin are these, and the next one is later."""
        lines = []
        for zone, expression, dialect, begin, seconds, _, _ in questions:
            before = cron_oracle.text(begin, 0)
            lines.append("\t".join((expression.text, zone, before, str(len(seconds) + 1), dialect)))
        said = self.home.run("schedule", "next", "--batch", stdin="\n".join(lines) + "\n")
        answers = said.out.splitlines()
        self.assertEqual(len(answers), len(lines))
        known = collections.defaultdict(dict)
        for (zone, expression, dialect, begin, seconds, end, stretches), line, answer in zip(questions, lines, answers):
            want = " ".join(cron_oracle.texts(seconds, stretches, known[zone]))
            got, _, last = answer.rpartition(" ")
            if got != want:
                self.fail("%s\n got  %s\n want %s" % (line, answer, want))
            # The one behind the window: never back, never again.
            if last != "never" and cron_oracle.second_from(last) < end:
                self.fail("%s\n got  %s, before the end of the window" % (line, last))
            self.fires += len(seconds)
        self.asked += len(lines)

    def window(self, zone, at, changes, names=None):
        """Questions about 36 hours on each side of an instant."""
        first, end = at - AROUND, at + AROUND
        near = [c for c in changes if first - MARGIN <= c[0] < end + MARGIN]
        stretches = zone.stretches(first - MARGIN, end + MARGIN, near)
        self.windows += 1
        for expression, dialect in itertools.product(EXPRESSIONS, DIALECTS):
            seconds = cron_oracle.fires(expression, dialect, stretches, first, end)
            for name in names or [zone.name]:
                yield name, expression, dialect, first - 1, seconds, end, stretches

    def instants(self, zone, changes, chance):
        picked = [c[0] for c in changes]
        if not ALL and len(picked) > 8:  # the strangest, and some others
            picked.sort(key=lambda at: [abs(c[2] - c[1]) in (0, 3600) for c in changes if c[0] == at])
            picked = picked[:4] + chance.sample(picked[4:], 4)
        days = 10 if ALL else 2
        return picked + [chance.randrange(cron_oracle.second_of(1970), cron_oracle.second_of(2037)) for _ in range(days)] + [
            chance.randrange(cron_oracle.second_of(2038), cron_oracle.second_of(2500)) for _ in range(days)]

    def test_all_zones(self):
        chance = random.Random(20260101)
        begun, count = time.monotonic(), 0
        first, end = cron_oracle.second_of(1970) - AROUND - MARGIN, cron_oracle.second_of(2038) + AROUND + MARGIN
        files = zones()
        self.assertGreater(sum(map(len, files.values())), 400)
        for names in files.values():
            chosen = names if ALL else sorted(SAMPLE & set(names))
            if not chosen:
                continue
            zone = cron_oracle.Zone(chosen[0])
            changes = zone.changes(first, end)
            count += len(chosen)
            questions = []
            for at in self.instants(zone, changes, chance):
                far = changes if first <= at < end else zone.changes(at - AROUND - MARGIN, at + AROUND + MARGIN)
                questions += self.window(zone, at, far)
                if len(questions) > 20000:
                    self.ask(questions)
                    questions = []
            # Other names of the same rules: one window is enough to see that they are the same.
            for name in chosen[1:]:
                questions += self.window(zone, changes[-1][0] if changes else 0, changes, [name])
            self.ask(questions)
        print("\nmeasured: %d zones (%d different), %d windows of 72 h, %d questions, %d fires in %.0f s" % (
            count, len(files) if ALL else count, self.windows, self.asked, self.fires, time.monotonic() - begun))
        self.assertGreaterEqual(count, len(SAMPLE))


if __name__ == "__main__":
    unittest.main()
