"""`make demo`, as a person runs it, with its default seed, with another one, and through a registry: what is
decided, what answers meanwhile, and that nothing is left."""

import os
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

LIMIT = 400  # seconds; about 90 on a quiet machine


class Demo:
    """One run of it, in a thread: both go on side by side, as they mostly wait for their schedule."""

    def __init__(self, **settings):
        self.home = support.Home()  # for the folder only
        self.env = dict(os.environ, PATH=support.BUILD + os.pathsep + os.environ.get("PATH", ""),
                        TMPDIR=self.home.folder, HOME=self.home.folder,
                        VENV=os.path.dirname(os.path.dirname(support.PYTHON)), **settings)
        self.env[support.MARK] = self.home.mark
        for name in ("SEED", "SPOIL", "KEEP", "SOURCE", "CTCD_HOME"):
            if name not in settings:
                self.env.pop(name, None)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        script = os.path.join(support.SOURCE, "examples", "digits", "demo")
        try:
            done = subprocess.run([script], env=self.env, cwd=self.home.folder, timeout=LIMIT,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
            self.status, self.out = done.returncode, done.stdout
        except subprocess.TimeoutExpired as e:
            self.status, self.out = None, str(e.stdout)

    def finish(self):
        """Waits for the end; -> what it left: files, processes, ports."""
        self.thread.join(LIMIT + 30)
        files = os.listdir(self.home.folder)
        return files + self.home.close()


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demos = {"default": Demo(), "other": Demo(SEED="7", SPOIL="2")}
        cls.left = {name: demo.finish() for name, demo in cls.demos.items()}
        cls.demos["registry"] = Demo(SOURCE="registry")  # alone: its server needs the machine, too
        cls.left["registry"] = cls.demos["registry"].finish()

    def check(self, name, verdicts, spoilt):
        demo = self.demos[name]
        print(demo.out)
        self.assertEqual(demo.status, 0, demo.out)
        self.assertEqual(demo.out.splitlines()[-1], "verdicts: " + verdicts)
        self.assertEqual(self.left[name], [])
        right = re.search(r"(\d+) of 500 held-out images are predicted right", demo.out)
        self.assertGreaterEqual(int(right.group(1)), 450)
        asked, unanswered = re.search(r"the client asked (\d+) times: (\d+) unanswered",
                                      demo.out).groups()
        self.assertGreater(int(asked), 100)
        self.assertEqual(int(unanswered), 0)
        answered = [int(n) for n in re.findall(r"its model answered (\d+) requests", demo.out)]
        self.assertEqual(len(answered), 4)
        self.assertEqual(answered[spoilt - 1], 0)
        self.assertGreater(answered[spoilt - 2], 0)
        self.assertIn("spoilt on purpose (SPOIL=%d)" % spoilt, demo.out)

    def test_default(self):
        self.check("default", "promote, promote, reject, promote", 3)

    def test_another_seed_and_batch(self):
        self.check("other", "promote, reject, promote, promote", 2)

    def test_through_a_registry(self):
        self.check("registry", "promote, promote, reject, promote", 3)
        out = self.demos["registry"].out
        said = re.findall(r"^version (\d) {2}(\w+) {2}(.*)$", out, re.MULTILINE)
        self.assertEqual([(number, verdict) for number, verdict, _ in said],
                         [("1", "promote"), ("2", "promote"), ("3", "reject"), ("4", "promote")])
        for (_, _, tags), revision in zip(said, (1, 2, None, 3)):
            if revision:
                self.assertRegex(tags, r"^ctcd.revision=%d ctcd.service=[0-9a-f-]{36}" % revision)
            else:
                self.assertEqual(tags, "")
        self.assertEqual([tags.endswith("<- champion") for _, _, tags in said], [False, False, False, True])
        self.assertIn("both services say the same of 500 held-out images: yes", out)
