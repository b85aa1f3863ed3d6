"""What the suites on real MLflow servers share: the models, made once for a suite, and a home that has
MLflow as its model deployer. tests/support.py has the rest."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support


# The environment of gunicorn.lock, the last MLflow that serves with gunicorn.
GUNICORN_VENV = os.path.dirname(os.path.dirname(support.PYTHON)) + "-gunicorn"


class Models:
    """The folder that make_models.py fills with this Python, removed by remove()."""

    def __init__(self, python=support.PYTHON):
        self.folder = tempfile.mkdtemp(prefix="models.")
        script = os.path.join(support.SOURCE, "tests", "rig", "make_models.py")
        made = subprocess.run([python, "-B", script, self.folder], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              timeout=support.SAFETY)
        if made.returncode:
            shutil.rmtree(self.folder)
            raise RuntimeError("make_models.py failed:\n" + made.stdout)
        with open(os.path.join(self.folder, "expected.json"), encoding="utf-8") as f:
            self.expected = json.load(f)
        self.request = self.expected["request"]

    def __getitem__(self, name):
        return os.path.join(self.folder, name)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class MlflowCase(support.HomeCase):
    """A fresh home whose active stack deploys to local MLflow servers."""

    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "ml", "--type=mlflow", "--python", support.PYTHON)
        self.home.run("stack", "register", "serving", "-m", "default", "-a", "default", "-o", "default",
                      "-d", "ml")
        self.home.run("stack", "set", "serving")

    def deploy(self, model, *args, status=0, name="house"):
        """Deploys the model at a path; -> what the command said."""
        return self.home.run("deploy", model, "--model-name", name, *args, status=status)

    def services(self):
        return self.home.json("served-models", "list")

    def service(self):
        """The only one."""
        services = self.services()
        self.assertEqual(len(services), 1, services)
        return services[0]

    def server(self, service):
        """Id of the process that listens at the service's URL, the shim apart."""
        port = int(service["prediction_url"].split("/")[2].rpartition(":")[2])
        found = [pid for pid, line in self.home.processes().items()
                 if "ctcd-shim" not in line.split(" ")[0] and port in support.listening_ports([pid])]
        self.assertTrue(found, "nothing listens at %s: %s" % (
            service["prediction_url"], self.home.processes()))
        return min(found)

    def shims(self):
        return [pid for pid, line in self.home.processes().items() if "ctcd-shim" in line.split(" ")[0]]

    def assert_predicts(self, answer, expected):
        self.assertEqual(list(answer), ["predictions"])
        self.assertEqual(len(answer["predictions"]), len(expected))
        for got, wanted in zip(answer["predictions"], expected):
            self.assertAlmostEqual(got, wanted, places=6)
