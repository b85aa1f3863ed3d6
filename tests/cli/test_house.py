"""Keeping house: pipelines that cannot be read any more, doctor, backup and restore, gc."""

import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

PIPELINE = """\
pipeline: %s
steps:
  s:
    command: [sh, -c, 'echo "{\\"n\\": 1}" >"$CTCD_OUTPUTS"']
    outputs: [n]
"""


class House(StandInCase):
    def store(self, *statements):
        """Changes the store behind the library's back."""
        db = sqlite3.connect(os.path.join(self.home.path, "ctcd.db"))
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()
        db.close()

    def pipeline(self, name):
        return self.home.file(name + ".yaml", PIPELINE % name)


class Pipelines(House):
    def test_one_that_cannot_be_read_is_listed(self):
        for name in ("bad", "good"):
            self.home.run("pipeline", "run", self.pipeline(name))
        kept = json.dumps({"source": "pipeline: bad\nsteps: {s: {comand: [x]}}\n", "folder": "/"})
        self.store(("UPDATE pipelines SET spec = ? WHERE name = 'bad'", (kept,)))
        lines = self.home.run("pipeline", "list").out.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "STEPS", "PROBLEM"])
        self.assertRegex(lines[1], r'^bad +- +bad:2:\d+: the step "s" must')
        self.assertEqual(lines[2].split(), ["good", "1", "-"])
        bad, good = self.home.json("pipeline", "list")
        self.assertEqual((bad["pipeline"], sorted(bad)), ("bad", ["pipeline", "problem"]))
        self.assertEqual((good["pipeline"], "problem" in good), ("good", False))
        self.assertEqual(self.home.run("pipeline", "list", "-o", "name").out, "bad\ngood\n")
        self.store("UPDATE pipelines SET spec = 'no JSON' WHERE name = 'bad'")
        self.assertIn("problem", self.home.json("pipeline", "list")[0])


if __name__ == "__main__":
    unittest.main()
