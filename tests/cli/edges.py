"""Sweeps over the durable edges of a command (tests/programs/kill-at.c says what is one): they are counted in an
undisturbed run, then the command is killed before its 1st, 2nd, 3rd, ... edge until it comes to its end. A sweep
that has not killed at each edge that was counted fails. For the suites beside this file."""

import collections
import fcntl
import os
import re
import shutil
import struct
import subprocess
import time

import support

KILL_AT = os.path.join(support.BUILD, "test", "kill-at")
KILLED, ENDED_WELL, ENDED_BADLY = 0, 99, 98
F_OFD_GETLK = 36  # Python 3.11 has no name for it
MOST = 1000  # edges; a sweep that gets there would not end by itself
# On a quiet machine each piece that SQLite writes is an edge; else those in a row to one file are one.
EACH_WRITE = ["-w"] if os.environ.get("TEST_QUIET") else []

# killed: was it? edge: which it was, in words. out, err: what it said till then. edges, status: how many it had, and
# what it ended with, where it came to its end.
End = collections.namedtuple("End", "killed edge out err edges status")


class EdgeSweeps:
    """Beside a HomeCase."""

    def kill_at(self, k, *args, script=None):
        """Runs `ctcd ARG...` to its kth edge, or to its end. script: is run by the shell at that edge, and the
        command goes on."""
        held = [] if script is None else ["-r", script]
        argv = [KILL_AT, *EACH_WRITE, *held, str(k), self.home.folder, self.home.ctcd, *map(str, args)]
        done = subprocess.run(argv, env=self.home.env, cwd=self.home.folder, timeout=support.SAFETY,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", errors="replace")
        self.assertIn(done.returncode, (KILLED, ENDED_WELL) if script is None else (ENDED_WELL, ENDED_BADLY), done)
        said, _, last = done.stderr.rstrip("\n").rpartition("\n")
        if done.returncode == KILLED:
            # A child that had not yet become another program has the daemon's lock open till it does.
            self.assertTrue(support.wait_for(self.no_daemon))
            # What it was saying when it died may lack its end of line.
            said, _, last = done.stderr.rstrip("\n").rpartition("before a ")
            return End(True, "before a " + last, done.stdout, said, None, None)
        told = re.fullmatch(r"(\d+) edges, exit status (-?\d+):.*", last)
        self.assertTrue(told, done.stderr)
        return End(False, last, done.stdout, said, int(told.group(1)), int(told.group(2)))

    def no_daemon(self):
        path = os.path.join(self.home.path, "scheduler.lock")
        if not os.path.exists(path):
            return True
        with open(path, "rb") as lock:
            ask = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            told = fcntl.fcntl(lock, F_OFD_GETLK, ask)
        return struct.unpack("hhqqi", told)[0] == fcntl.F_UNLCK

    # ---- a home that is the same each time ----
    def keep_home(self):
        """As it is now; nobody may have it open."""
        self.kept = os.path.join(self.home.folder, "kept")
        shutil.copytree(self.home.path, self.kept, symlinks=True)

    def home_again(self):
        """As it was kept; nothing of it may run."""
        shutil.rmtree(self.home.path, ignore_errors=True)
        shutil.copytree(self.kept, self.home.path, symlinks=True)

    def each_edge(self, name, at_least, prepare, command, check):
        """prepare() -> what the others get; command(it) -> arguments; check(k, it, end)."""
        begun = time.monotonic()

        def trial(k):
            what = prepare()
            end = self.kill_at(k, *command(what))
            with self.subTest(k=k, edge=end.edge):
                check(k, what, end)
            return end
        trial(0)  # the first one makes what later ones find
        counted = trial(0).edges
        covered, k, fewer = 0, 1, []
        while k < MOST:
            end = trial(k)
            if end.killed:
                covered += 1
                k += 1
                fewer = []
            elif k > counted or EACH_WRITE:
                break  # how many pages SQLite writes grows and shrinks with the store: this end is what counts
            else:
                # Each look at what it waits for has an edge or two: it waited longer when they were counted.
                fewer.append(end.edges)
                if len(fewer) == 3:
                    counted = max(fewer)
        self.assertFalse(end.killed, "%d edges, and no end" % MOST)
        total = max(0 if EACH_WRITE else counted, end.edges, covered)
        print("\nmeasured: %s: killed at %d of %d edges in %.1f s (%s)" % (
            name, covered, total, time.monotonic() - begun, end.edge.partition(": ")[2]))
        self.assertEqual(covered, total)
        self.assertGreaterEqual(covered, at_least)
