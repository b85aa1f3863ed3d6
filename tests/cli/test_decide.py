"""`ctcd decide`: by itself, from files, and against what serves."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from stand_in import StandInCase

RULE = '{"metric": "accuracy", "threshold": 0.8, "min_absolute_change": 0.01}'
PROMOTE, REJECT = 0, 1


def candidate(accuracy):
    return '{"accuracy": %s}' % accuracy


class Alone(support.HomeCase):
    def decide(self, rule, *args, **how):
        return self.home.run("decide", "--rule", rule, *args, **how)

    def test_verdicts(self):
        self.assertEqual(self.decide(RULE, "--candidate", candidate(0.9)).out.split(":")[0], "promote")
        self.assertEqual(self.decide(RULE, "--candidate", candidate(0.5), status=REJECT).out.split(":")[0], "reject")
        self.assertEqual(self.decide(RULE, "--candidate", candidate(0.9), "--incumbent", "{}", "-o", "name",
                                     status=REJECT).out, "inconclusive\n")
        self.assertFalse(os.path.exists(os.path.join(self.home.path, "ctcd.db")), "a home is not needed")

    def test_from_files(self):
        rule, metrics = self.home.file("rule.json", RULE), self.home.file("metrics.json", candidate(0.9))
        self.decide("@" + rule, "--candidate", "@" + metrics)
        self.decide("@" + rule, "--candidate", "@-", stdin=candidate(0.1), status=REJECT)
        self.decide("@" + rule, "--candidate", "@" + metrics, "--incumbent", "@" + metrics, status=REJECT)
        self.assertIn("nosuch", self.decide("@" + rule, "--candidate", "@nosuch", status=3).err)

    def test_bad_input(self):
        self.home.run("decide", "--rule", RULE, status=2)
        self.decide("{", "--candidate", candidate(0.9), status=2)
        self.decide(RULE, "--candidate", "[]", status=2)
        self.decide(RULE, "--candidate", "@", status=3)

    def test_what_went_wrong_is_no_verdict(self):
        """1 would be: reject."""
        self.assertIn("Is a directory", self.decide("@/", "--candidate", candidate(0.9), status=2).err)
        self.assertIn("Is a directory", self.decide(RULE, "--candidate", "@/", status=2).err)
        for number in (0.99, 0.1):  # promote, reject: nobody has read it
            with open("/dev/full", "w", encoding="utf-8") as full:
                said = subprocess.run([self.home.ctcd, "decide", "--rule", RULE, "--candidate", candidate(number)],
                                      env=self.home.env, stdout=full, stderr=subprocess.PIPE,
                                      encoding="utf-8", timeout=support.SAFETY, check=False)
            self.assertEqual((said.returncode, "No space left" in said.stderr), (2, True), said.stderr)
        damaged = os.path.dirname(self.home.file("damaged/ctcd.db", "nonsense " * 1000))
        said = self.decide(RULE, "--candidate", candidate(0.9), "--model-name", "digits",
                           "--home", damaged, status=2)
        self.assertIn("is damaged", said.err)


class AgainstWhatServes(StandInCase):
    def decide(self, accuracy, *args, status=PROMOTE):
        return self.home.run("decide", "--rule", RULE, "--candidate", candidate(accuracy), "-m", "digits",
                             *args, status=status)

    def test_what_the_next_deploy_would_replace(self):
        self.assertIn("no incumbent", self.decide(0.85).out)
        self.deploy(self.model(), "--metrics", candidate(0.9), "-p", "other")
        self.decide(0.85)  # that is another identity
        self.deploy(self.model(), "--metrics", "@" + self.home.file("metrics.json", candidate(0.9)))
        self.assertIn("0.9", self.decide(0.905, status=REJECT).out)
        self.decide(0.95)
        self.decide(0.905, "--pipeline", "other", status=REJECT)
        self.decide(0.905, "--pipeline", "other", "--step", "none")
        self.decide(0.95, "--deployer", "nosuch", status=3)
        self.decide(0.95, "--incumbent", "{}", status=2)

    def test_a_deploy_that_failed_is_no_incumbent(self):
        self.deploy(self.model(1, "exit 3"), "--metrics", candidate(0.9), status=1)
        self.decide(0.85)


if __name__ == "__main__":
    unittest.main(verbosity=2)
