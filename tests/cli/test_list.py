"""served-models list: by state, by UUID, and page by page."""

import os
import shlex
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support
from terminal import on_terminal

NAMES = ["one", "two", "three", "four", "five"]


class List(StandInCase):
    def setUp(self):
        super().setUp()
        for name in NAMES:
            self.deploy(self.model(1), name=name)
        self.ids = {s["model_name"]: s["uuid"] for s in self.services()}

    def list(self, *args, status=0):
        return self.home.run("served-models", "list", *args, status=status)

    def names(self, *args, status=0):
        """The models that are listed."""
        said = self.list(*args, status=status)
        return [line.split()[-1] for line in said.out.splitlines()[1:]]

    # ---- by state -----------------------------------------------------------------------------
    def test_by_state(self):
        self.home.run("served-models", "stop", self.ids["two"])
        pids = {s["model_name"]: int(s["properties"].get("DAEMON_PID", 0)) for s in self.services()}
        os.kill(pids["one"], signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: self.names("--state", "error")))
        self.assertEqual(self.names(), NAMES[::-1])
        self.assertEqual(self.names("--state", "active"), ["five", "four", "three"])
        self.assertEqual(self.names("--running"), ["five", "four", "three"])
        self.assertEqual(self.names("--state", "inactive"), ["two"])
        self.assertEqual(self.names("--state", "error", "--state", "inactive"), ["two", "one"])
        self.assertEqual(self.names("--state", "pending_startup", "--state", "unknown"), [])
        running = self.home.json("served-models", "list", "--running")
        self.assertEqual([s["state"] for s in running], ["active"] * 3)
        # A page of a state: what was left off is of this state, too.
        said = self.list("--state", "active", "--limit", "2", "-o", "name")
        self.assertEqual(said.out.split(), [self.ids["five"], self.ids["four"]])
        self.assertIn("--after " + self.ids["four"], said.err)
        self.assertEqual(self.list("--state", "active", "--limit", "3").err, "")
        self.assertIn("inactive|", self.list("--state", "activ", status=2).err)
        self.assertIn("only one", self.list("--running", "--state", "error", status=2).err)

    def test_who_cannot_be_asked(self):
        """may well be active: that is said, whatever was asked for."""
        self.home.file("model-3/behaviour", "silent\n")
        said = self.list("--state", "active", "--timeout", "3s", status=7)
        self.assertIn("1 served model of ml could not be asked", said.err)
        self.assertNotIn(self.ids["three"], said.out)
        self.assertIn(self.ids["four"], said.out)
        self.assertEqual(self.names("--state", "unknown", "--timeout", "3s", status=7), ["three"])

    # ---- by UUID ------------------------------------------------------------------------------
    def test_by_uuid(self):
        for name, uuid in self.ids.items():
            self.assertEqual(self.names("--uuid", uuid), [name])
            self.assertEqual(self.names("--uuid", uuid[:9].upper()), [name])
            self.assertEqual(self.names("--uuid", uuid, "--model-name", "none"), [])
        first = self.ids["one"][0]
        self.assertEqual(self.names("--uuid", first), [n for n in NAMES[::-1] if self.ids[n][0] == first])
        self.assertEqual(self.names("--uuid", "%"), [])
        self.assertEqual(self.names("--uuid", "_"), [])

    # ---- page by page -------------------------------------------------------------------------
    def pages(self, *args):
        """Follows what each page says, to the last one."""
        command, seen = ["ctcd", "served-models", "list", *args], []
        while command:
            said = self.home.run(*command[1:])
            seen.append([line.split()[-1] for line in said.out.splitlines()[1:]])
            told = [line for line in said.err.splitlines() if line.startswith("  next: ")]
            self.assertLessEqual(len(told), 1)
            command = shlex.split(told[0][len("  next: "):]) if told else None
        return seen

    def test_pages(self):
        self.assertEqual(self.pages("--limit", "2"), [["five", "four"], ["three", "two"], ["one"]])
        self.assertEqual(self.pages("--limit", "5"), [NAMES[::-1]])
        self.assertEqual(self.pages("--limit", "4", "--running"), [NAMES[:0:-1], ["one"]])
        self.assertEqual(self.pages("--limit", "3", "-d", "ml", "--state", "active", "--state", "error"),
                         [["five", "four", "three"], ["two", "one"]])
        self.home.run("model-deployer", "register", "a ma'n", "--flavor=mlflow", status=2)
        said = on_terminal(self.home, "served-models", "list", "--limit", "2")
        self.assertIn("next: ctcd served-models list --limit 2 --after " + self.ids["four"], said.out)
        said = self.list("-o", "name", "--limit", "2")
        self.assertEqual(said.out.split(), [self.ids["five"], self.ids["four"]])
        self.assertIn("next: ", said.err)

    def test_words_of_the_next_command_are_quoted(self):
        self.deploy(self.model(1), name="it's a model")
        self.deploy(self.model(1), "-s", "two", name="it's a model")
        said = self.list("--model", "it's a model", "--limit", "1")
        command = shlex.split([line for line in said.err.splitlines() if "next:" in line][0])[1:]
        self.assertIn("it's a model", command)
        self.assertEqual(self.home.run(*command[1:]).out.count("it's a model"), 1)

    def test_pages_as_json(self):
        page = self.home.json("served-models", "list", "--limit", "3")
        self.assertEqual([s["model_name"] for s in page["items"]], ["five", "four", "three"])
        self.assertEqual(page["next"], self.ids["three"])
        page = self.home.json("served-models", "list", "--limit", "3", "--after", page["next"][:8])
        self.assertEqual([s["model_name"] for s in page["items"]], ["two", "one"])
        self.assertIsNone(page["next"])
        self.assertIn("next: null\n", self.list("--limit", "9", "-o", "yaml").out)
        self.assertEqual(len(self.home.json("served-models", "list", "--after", self.ids["two"])), 1)

    def test_what_happens_between_two_pages(self):
        self.deploy(self.model(1), name="six")
        self.home.run("served-models", "delete", self.ids["three"])
        self.assertEqual(self.names("--limit", "2", "--after", self.ids["four"]), ["two", "one"])
        said = self.list("--limit", "2", "--after", self.ids["three"], status=3)
        self.assertIn(self.ids["three"], said.err)
        self.list("--limit", "0", status=2)


if __name__ == "__main__":
    unittest.main()
