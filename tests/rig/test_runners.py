"""examples/runners: a foreign runner trains, asks `ctcd decide`, and has `ctcd deploy` serve what is better. No
pipeline and no stack of ours; real MLflow, real make, real Snakemake. The Airflow task is only compiled."""

import json
import os
import py_compile
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

EXAMPLES = os.path.join(support.SOURCE, "examples", "runners")
SNAKEMAKE = os.path.join(os.path.dirname(os.path.dirname(support.PYTHON)) + "-runners", "bin", "snakemake")
WEAK, WORSE, GOOD = "--images 800", "--images 800 --gamma 0.1", "--images 1200"


class Runner(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "ml", "--flavor=mlflow", "--python", support.PYTHON)
        shutil.copytree(EXAMPLES, os.path.join(self.home.folder, "runners"))
        self.home.env["PATH"] = os.path.dirname(self.home.ctcd) + os.pathsep + os.environ["PATH"]
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            self.home.env.pop(name, None)

    def at(self, *names):
        return os.path.join(self.home.folder, "runners", *names)

    def run_in(self, folder, argv):
        done = subprocess.run(argv, cwd=self.at(folder), env=self.home.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              errors="replace", timeout=support.SAFETY)
        return done.returncode, done.stdout

    def trained(self, folder):
        """-> accuracy and path of the newest candidate."""
        with open(self.at(folder, "candidate", "metrics.json"), encoding="utf-8") as file:
            accuracy = json.load(file)["accuracy"]
        with open(self.at(folder, "candidate", "uri"), encoding="utf-8") as file:
            return accuracy, file.read().strip()

    def served(self):
        services = self.home.json("served-models", "list")
        self.assertEqual(len(services), 1)
        self.assertEqual(services[0]["state"], "active")
        return services[0]["service"] if "service" in services[0] else services[0]

    def life(self, folder, runner):
        """runner(flags) trains anew and does what follows -> (exit status, output)"""
        status, out = runner(WEAK)
        self.assertEqual(status, 0, out)
        first, path = self.trained(folder)
        service = self.served()
        self.assertEqual(service["model_uri"], path)
        answer = json.loads(self.home.run("predict", "-m", "digits", "--data", json.dumps([[0] * 64])).out)
        self.assertEqual(len(answer["predictions"]), 1)

        status, out = runner(WORSE)
        self.assertEqual(status, 0, out)
        self.assertIn("What serves is kept.", out)
        self.assertLess(self.trained(folder)[0], first)
        self.assertEqual(self.served()["model_uri"], path)

        status, out = runner(GOOD)
        self.assertEqual(status, 0, out)
        accuracy, better = self.trained(folder)
        self.assertGreater(accuracy, first)
        now = self.served()
        self.assertEqual((now["uuid"], now["model_uri"]), (service["uuid"], better))

        self.home.run("served-models", "delete", now["uuid"], "--force")
        self.home.run("model-deployer", "delete", "ml")
        status, out = runner(GOOD)  # nothing can be asked: neither promoted nor rejected
        self.assertNotEqual(status, 0, out)
        self.assertIn('there is no model-deployer "ml"', out)

    def test_make(self):
        def runner(flags):
            os.utime(self.at("train.py"))
            return self.run_in("make", ["make", "PYTHON=" + support.PYTHON, "TRAIN_FLAGS=" + flags])
        self.life("make", runner)
        shutil.rmtree(self.at("make", "candidate"))

    def test_make_does_nothing_twice(self):
        argv = ["make", "PYTHON=" + support.PYTHON, "TRAIN_FLAGS=" + WEAK]
        status, out = self.run_in("make", argv)
        self.assertEqual(status, 0, out)
        status, out = self.run_in("make", argv)
        self.assertEqual(status, 0, out)
        self.assertIn("up to date", out)

    def test_snakemake(self):
        def runner(flags):
            return self.run_in("snakemake", [SNAKEMAKE, "--cores", "1", "--forcerun", "train", "--config",
                                             "python=" + support.PYTHON, "flags=" + flags])
        self.life("snakemake", runner)

    def test_airflow_compiles(self):
        py_compile.compile(self.at("airflow", "digits.py"), doraise=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
