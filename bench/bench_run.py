"""What a run of three steps that do nothing costs in CPU, against ZenML: whole processes, as a cron job or a CI job
starts them, each with all of its descendants; the two in turn."""

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))

import support

THREE = os.path.join(support.SOURCE, "bench", "three")
ZENML = os.path.join(os.path.dirname(os.path.dirname(support.PYTHON)) + "-zenml", "bin", "python")
PAIRS = 5
TIMES_LESS = 100
PR_SET_CHILD_SUBREAPER = 36


class Overhead(support.HomeCase):
    def setUp(self):
        super().setUp()
        # The shim leaves its parent: what is orphaned comes to us, so that its CPU is counted, too.
        self.assertEqual(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0)
        peer = os.path.join(self.home.folder, "zenml")
        os.mkdir(peer)
        self.zenml_env = dict(self.home.env, ZENML_CONFIG_PATH=peer, ZENML_ANALYTICS_OPT_IN="false",
                              ZENML_LOGGING_VERBOSITY="ERROR", AUTO_OPEN_DASHBOARD="false", DO_NOT_TRACK="1")

    def cpu(self, argv, env):
        """-> seconds of CPU of the command and all that it started, when none of it is left."""
        def used():
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime
        before = used()
        done = subprocess.run(argv, env=env, cwd=self.home.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=support.SAFETY)
        self.assertEqual(done.returncode, 0, done.stdout)
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass
        return used() - before

    def ours(self, file):
        return self.cpu([self.home.ctcd, "pipeline", "run", file], self.home.env)

    def theirs(self, mode):
        return self.cpu([ZENML, os.path.join(THREE, "zenml_three.py"), mode], self.zenml_env)

    def compare(self, mode, file):
        self.ours(file), self.theirs(mode)  # makes the stores, fills the caches
        pairs = [(self.ours(file), self.theirs(mode)) for _ in range(PAIRS)]
        ratio = statistics.median(theirs / ours for ours, theirs in pairs)
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        print("\nmeasured: a run of three %s steps: ctcd %.1f ms of CPU, ZenML %.0f ms, %.0f times as much "
              "(medians of %d pairs)" % (mode, ours * 1e3, theirs * 1e3, ratio, PAIRS))
        self.assertGreaterEqual(ratio, TIMES_LESS)

    def test_uncached(self):
        self.compare("uncached", os.path.join(THREE, "three.yaml"))

    def test_cached(self):
        with open(os.path.join(THREE, "three.yaml"), encoding="utf-8") as file:
            text = file.read()
        cached = os.path.join(self.home.folder, "three.yaml")
        with open(cached, "w", encoding="utf-8") as file:
            file.write(text.replace("cache: false", "cache: true"))
        self.compare("cached", cached)
        steps = self.home.json("run", "describe", self.home.json("run", "list")[0]["name"])["steps"]
        self.assertEqual({step["status"] for step in steps}, {"cached"})

    def test_beside_a_process_that_stays(self):
        """Not asserted, but said: ZenML without its imports, in a process that has done them, against all of ours."""
        for mode in ("uncached", "cached"):
            out = subprocess.run([ZENML, os.path.join(THREE, "zenml_three.py"), mode, "4"], env=self.zenml_env,
                                 cwd=self.home.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, encoding="utf-8", timeout=support.SAFETY).stdout
            warm = [float(line.split()[1]) for line in out.splitlines() if line.startswith("cpu ")][1:]
            self.assertEqual(len(warm), 3, out)
            self.assertIn("steps %s\n" % {"cached": "cached", "uncached": "completed"}[mode], out)
            print("\nmeasured: a run of three %s steps in a warm ZenML process: %.0f ms of CPU (median of 3)"
                  % (mode, statistics.median(warm) * 1e3))


if __name__ == "__main__":
    unittest.main()
