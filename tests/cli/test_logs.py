"""Logs of servers and steps: kept short by the shim beside them, read across that, and followed."""

import os
import re
import select
import signal
import subprocess
import sys
import time
import unittest

from stand_in import STAND_IN, StandInCase

import support

SHIM = os.path.join(support.BUILD, "ctcd-shim")
KILL_AT = os.path.join(support.BUILD, "test", "kill-at")
KILLED, ENDED_WELL = 0, 99
LIMIT = 20000


def contents(folder, name):
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Reader:
    """The lines that a process prints."""

    def __init__(self, process):
        self.fd, self.rest, self.seen = process.stdout.fileno(), b"", []

    def next(self):
        end = time.monotonic() + support.SAFETY
        while not self.seen:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError("it printed nothing more; so far %r" % self.rest)
            part = os.read(self.fd, 1 << 20)
            if not part:
                raise AssertionError("it ended")
            *whole, self.rest = (self.rest + part).split(b"\n")
            self.seen = [line.decode() for line in whole[::-1]]
        return self.seen.pop()

    def wait(self, pattern):
        """The first line from here on that matches."""
        while True:
            line = self.next()
            if re.search(pattern, line):
                return line


class Kills(support.HomeCase):
    """A shim that is killed before each system call of a rotation after which the disk differs."""

    def folder(self):
        """Of a child whose log is over its limit, and has been rotated once."""
        self.count += 1
        folder = os.path.join(self.home.folder, "child-%d" % self.count)
        os.mkdir(folder)
        self.home.file(os.path.join(folder, "log.1"), self.before)
        self.home.file(os.path.join(folder, "log"), self.lines)
        return folder

    def shim(self, folder, generation, *before):
        with open(os.path.join(folder, "log"), "a") as log:
            # By env: what carries the marker, the shim ends.
            return subprocess.run([*before, "/usr/bin/env", "CTCD_MARKER=rotation-%d" % os.getpid(), SHIM,
                                   "--log-limit", str(LIMIT), folder, str(generation), "--", "true"],
                                  stdout=log, stderr=subprocess.PIPE, timeout=support.SAFETY)

    def test_each_step(self):
        self.count, killed = 0, []
        self.before = "before\n"
        self.lines = "".join("line %06d\n" % i for i in range(3000))
        for k in range(1, 200):
            folder = self.folder()
            end = self.shim(folder, 1, KILL_AT, str(k), folder)
            self.assertIn(end.returncode, (KILLED, ENDED_WELL), end.stderr)
            if end.returncode == ENDED_WELL:
                break
            killed.append(end.stderr.decode().strip())
            old, now = contents(folder, "log.1"), contents(folder, "log")
            if old != self.before:  # the copy is in its place, whole, and nothing was lost
                self.assertTrue(self.lines.startswith(old), killed[-1])
                self.assertGreater(len(old), len(self.lines) - 65536)
            self.assertIn(now, (self.lines, self.lines[len(old):]), killed[-1])
            # The next one brings it in order: all is there, once, and nothing else.
            self.assertEqual(self.shim(folder, 2).returncode, 0)
            old, now = contents(folder, "log.1"), contents(folder, "log")
            self.assertIn(old + now, (self.lines, self.before + self.lines), killed[-1])
            self.assertEqual(sorted(name for name in os.listdir(folder) if name.startswith("log")),
                             ["log", "log.1"], killed[-1])
        self.assertTrue(any("name" in how for how in killed), killed)
        self.assertGreater(len(killed), 8, killed)
        print("killed at %d steps" % len(killed))


class Served(StandInCase):
    """Real servers (stand-ins) that write more than their log may hold."""

    ENTRY = "entry %08d of this log"

    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "short", "--flavor=mlflow", "--python", STAND_IN,
                      "--max-log-mib", "1")

    def folder(self, revision=1):
        return os.path.join(self.home.path, "services", self.uuid(), "r%d" % revision)

    def follow(self, *args):
        process = self.home.start("served-models", "logs", self.uuid(), "--follow", *args,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process, Reader(process)

    def write(self, entries, rotates):
        """Has the server write so many entries; where they are too many, until they are rotated."""
        self.home.file("model-1/behaviour", "log %d\n" % entries)
        old = os.path.join(self.folder(), "log.1")
        before = os.stat(old).st_mtime_ns if os.path.exists(old) else None
        self.home.run("predict", self.uuid(), "--data", "[[1]]")
        if rotates:
            self.assertTrue(support.wait_for(
                lambda: os.path.exists(old) and os.stat(old).st_mtime_ns != before))

    def numbers(self, text):
        return [int(n) for n in re.findall(r"^entry (\d{8}) of this log$", text, re.MULTILINE)]

    def test_rotated_and_followed(self):
        self.deploy(self.model(1), "-d", "short")
        process, lines = self.follow("-n", "1")
        lines.wait("startup complete")
        slow, late = self.follow("-n", "1")
        late.wait("startup complete")
        many = 45000  # of 27 bytes: a little more than 1 MiB
        last = 0
        for entries in (many, many, many, 100):
            self.write(entries, entries == many)
            for number in range(last + 1, last + entries + 1):
                self.assertEqual(lines.next(), self.ENTRY % number)
            last += entries
        both = contents(self.folder(), "log.1") + contents(self.folder(), "log")
        kept = self.numbers(both)
        self.assertEqual(kept, list(range(kept[0], last + 1)), "one after the other")
        self.assertGreaterEqual(len(kept), many)
        self.assertLess(len(both), 2 * 1024 * 1024 + 4096)
        self.assertEqual(sorted(n for n in os.listdir(self.folder()) if n.startswith("log")), ["log", "log.1"])
        for count in (1, 100, 101, 10000):
            said = self.numbers(self.home.run("served-models", "logs", self.uuid(), "-n", str(count)).out)
            self.assertEqual(said, list(range(last + 1 - count, last + 1)))
        # Nobody read what this one printed: it says what it could not print in time.
        number, missing = int(late.wait("^entry").split()[1]), 0
        for got in iter(late.next, self.ENTRY % last):
            if got.startswith("---- ctcd: lines are missing here"):
                number = int(late.wait("^entry").split()[1])
                missing += 1
            else:
                number += 1
                self.assertEqual(got, self.ENTRY % number)
        self.assertEqual(number, last - 1)
        self.assertGreater(missing, 0)
        slow.terminate()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_never_rotated(self):
        self.home.run("model-deployer", "register", "long", "--flavor=mlflow", "--python", STAND_IN,
                      "--max-log-mib", "0")
        self.deploy(self.model(1), "-d", "long")
        shims = [line for line in self.home.processes().values() if "ctcd-shim" in line.split()[0]]
        self.assertIn("--log-limit 0 ", shims[0])

    def test_an_error_right_after_a_rotation_has_its_lines(self):
        self.deploy(self.model(1), "-d", "short")
        self.write(45000, True)
        for pid, line in self.home.processes().items():
            if "ctcd-shim" not in line.split()[0]:
                os.kill(pid, signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: self.services()[0]["state"] == "error"))
        self.assertEqual(self.numbers(self.services()[0]["log_tail"])[-1], 45000)

    def test_replaced_stopped_started_deleted(self):
        self.deploy(self.model(1))
        process, lines = self.follow()
        lines.wait("---- ctcd: revision 1, start 1")
        lines.wait("startup complete")
        self.deploy(self.model(2))
        lines.wait("---- ctcd: revision 2, start 1")
        lines.wait("startup complete")
        self.home.run("served-models", "stop", self.uuid())
        lines.wait("Finished server process")
        self.home.run("served-models", "start", self.uuid())
        lines.wait("---- ctcd: revision 2, start 2")
        self.home.run("served-models", "delete", self.uuid())
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.assertIn(b"was deleted", process.stderr.read())

    def test_ends(self):
        self.deploy(self.model(1))
        for number in (signal.SIGTERM, signal.SIGHUP):
            process, lines = self.follow()
            lines.wait("startup complete")
            process.send_signal(number)
            self.assertEqual(process.wait(support.SAFETY), 0)
        process, lines = self.follow()
        lines.wait("startup complete")
        process.stdout.close()
        self.assertIsNotNone(process.wait(support.SAFETY))
        self.assertEqual(process.stderr.read(), b"")
        self.home.run("served-models", "logs", "0" * 8, "--follow", status=3)


PIPELINE = """\
pipeline: talks
steps:
  first:
    command: [sh, -c, 'echo one; until [ -e go ]; do sleep 0.02; done; echo two']
  second:
    command: [sh, -c, 'echo try $CTCD_ATTEMPT; printf unfinished; [ "$CTCD_ATTEMPT" = 2 ]']
    after: [first]
    retries: {max: 1, delay: 10ms}
"""


class Runs(StandInCase):
    def begin(self):
        process = self.home.start("pipeline", "run", self.home.file("talks.yaml", PIPELINE))
        self.assertTrue(support.wait_for(lambda: self.home.json("run", "list")))
        return process, self.home.json("run", "list")[0]["uuid"]

    def follow(self, run, *args):
        process = self.home.start("run", "logs", run, "--follow", *args, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process, Reader(process)

    def test_until_it_has_ended(self):
        runs, run = self.begin()
        process, lines = self.follow(run)
        second, other = self.follow(run, "--step", "second")
        self.assertEqual(lines.next(), "one")
        self.assertIsNone(process.poll())
        self.home.file("go", "")
        after = ["try 1", "unfinished", "try 2", "unfinished"]
        self.assertEqual([lines.next() for _ in range(5)], ["two"] + after)
        self.assertEqual([other.next() for _ in range(4)], after)
        for one in (process, second):
            self.assertEqual(one.wait(support.SAFETY), 0)
            self.assertEqual(one.stdout.read() + one.stderr.read(), b"")
        self.assertEqual(runs.wait(support.SAFETY), 0)
        # One that has ended: as without --follow.
        self.assertEqual(self.home.run("run", "logs", run, "--follow").out, "try 2\nunfinished\n")
        self.assertEqual(self.home.run("run", "logs", run, "-f", "-n", "1").out, "unfinished\n")
        self.assertEqual(self.home.run("run", "logs", run, "-f", "--step", "first").out, "one\ntwo\n")
        self.home.run("run", "logs", run, "-f", "--step", "third", status=3)

    def test_a_step_that_prints_a_lot(self):
        path = self.home.file("much.yaml", """\
pipeline: much
steps:
  print:
    command: [sh, -c, 'seq 1700000; until [ -e "$(dirname "$CTCD_OUTPUTS")/log.1" ]; do sleep 0.02; done; echo end']
""")
        self.home.run("pipeline", "run", path)  # more than 10 MiB
        run = self.home.json("run", "list")[0]["uuid"]
        self.assertEqual(self.home.run("run", "logs", run, "-n", "10000").out.splitlines(),
                         [str(n) for n in range(1690002, 1700001)] + ["end"])

    def test_by_a_signal(self):
        runs, run = self.begin()
        process, lines = self.follow(run)
        lines.next()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.SAFETY), 0)
        self.home.file("go", "")
        self.assertEqual(runs.wait(support.SAFETY), 0)


if __name__ == "__main__":
    unittest.main()
