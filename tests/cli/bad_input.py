"""For the suites of bad input (test_bad_*.py): a command that must refuse what it is given, with a message that
says what is wrong, where, and what to do; in bounded time and memory; and nothing of it may be left behind."""

import os
import re
import resource
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support
from stand_in import STAND_IN, StandInCase  # noqa: F401, the suites take both from here

SECONDS = 30.0              # what one refusal may take on a busy machine
ADDRESS_SPACE = 512 << 20   # what it may map; a net below, in case that memory is asked for and not touched
RESIDENT_KB = 64 << 10      # and hold
# A message that says what would be right needs no `next:` line besides.
RIGHT = re.compile(
    r"must |needs |is needed|none of: |there are: |at most |more than |larger than |longer than |it begins with |"
    r"finite number|is empty|1 s to 366 days|is no (decide|deploy) step|is there twice|is not after|outside the years")


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class BadInputCase(StandInCase):
    """The most that was needed is printed at the end of each suite."""

    most_seconds, most_kb, refusals = 0.0, 0, 0

    def setUp(self):
        super().setUp()
        self.before = self.everything()

    @classmethod
    def tearDownClass(cls):
        print("\nmeasured: %s: %d refusals, the slowest %.2f s, the largest %.1f MB" % (
            cls.__name__, cls.refusals, cls.most_seconds, cls.most_kb / 1024))

    def everything(self):
        """Names of all files of the home, and how many rows each table has."""
        names, rows = set(), {}
        for folder, folders, files in os.walk(self.home.path):
            names.update(os.path.join(folder, name) for name in folders + files
                         if not name.endswith(("-wal", "-shm")))
        store = os.path.join(self.home.path, "store.db")
        if os.path.exists(store):
            with sqlite3.connect("file:%s?mode=ro" % store, uri=True) as db:
                for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    rows[table] = db.execute('SELECT count(*) FROM "%s"' % table).fetchone()[0]
            db.close()
        return names, rows

    def measured(self, argv, env=None):
        """-> exit status, standard output, standard error; within the limits."""
        begun = time.monotonic()
        paths = [os.path.join(self.home.folder, name) for name in ("bad.out", "bad.err")]
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            process = subprocess.Popen([self.home.ctcd] + argv, env=dict(self.home.env, **(env or {})),
                                       cwd=self.home.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       preexec_fn=limited)
            ended = support.wait_for(lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT),
                                     SECONDS)
            if not ended:
                process.kill()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        texts = []
        for path in paths:
            with open(path, encoding="utf-8", errors="strict") as file:  # what is printed is UTF-8, whatever came in
                texts.append(file.read())
        self.assertTrue(ended, "did not end within %g s" % SECONDS)
        self.assertLess(used.ru_maxrss, RESIDENT_KB, texts)
        cls = type(self)
        cls.most_seconds, cls.most_kb = max(cls.most_seconds, took), max(cls.most_kb, used.ru_maxrss)
        return process.returncode, texts[0], texts[1]

    def refuses(self, argv, status, *words):
        """It says all these words, and one of what to do next; -> what it says."""
        type(self).refusals += 1
        code, out, err = self.measured(argv)
        said = "%s\n%s%s[exit status %d]" % (" ".join(argv), out, err, code)
        self.assertEqual(code, status, said)
        self.assertEqual(out, "", said)
        self.assertTrue(err.startswith("ctcd: "), said)
        for word in words:
            self.assertIn(word, err, said)
        self.assertTrue(re.search(r"^  next: \S", err, re.M) or RIGHT.search(err.split("\n")[0]),
                        "no next step:\n" + said)
        self.assertFalse(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", err), repr(said))
        self.assertLess(len(err), 8192, said)
        self.assertEqual(self.everything(), self.before, said)
        return err
