"""Logs of servers and steps: kept short by the shim beside them, read across that, and followed."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

from stand_in import StandInCase

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


if __name__ == "__main__":
    unittest.main()
