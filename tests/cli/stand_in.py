"""A home whose active stack deploys to stand-in model servers (tests/programs/stand-in.c): ready in
20 ms, and misbehaving on demand. For the suites beside this file."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

STAND_IN = os.path.join(support.BUILD, "test", "stand-in")

MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.17.2
model_uuid: %032x
"""


class StandInCase(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.models = 0
        self.home.run("model-deployer", "register", "ml", "--flavor=mlflow", "--python", STAND_IN)
        self.home.run("stack", "register", "serving", "-m", "default", "-a", "default", "-o", "default",
                      "-d", "ml", "--set")

    def model(self, value=1, *behaviour):
        """A folder that looks like a saved model; its server answers the value, and behaves so."""
        self.models += 1
        name = "model-%d" % self.models
        self.home.file(name + "/MLmodel", MLMODEL % self.models)
        self.home.file(name + "/value", "%s\n" % value)
        self.home.file(name + "/behaviour", "".join(line + "\n" for line in behaviour))
        return os.path.join(self.home.folder, name)

    def deploy(self, model, *args, status=0, name="digits", **how):
        return self.home.run("deploy", model, "--model-name", name, "--min-ready", "0", *args,
                             status=status, **how)

    def services(self):
        return self.home.json("served-models", "list")

    def uuid(self):
        """Of the only service."""
        uuids = self.home.run("served-models", "list", "-o", "name").out.split()
        self.assertEqual(len(uuids), 1, uuids)
        return uuids[0]
