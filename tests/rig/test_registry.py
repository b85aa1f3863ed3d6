"""Models that a real MLflow tracking server knows: pinned, fetched, served; the registry hears of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import support
from rig import MlflowCase

sys.path.insert(0, os.path.join(support.SOURCE, "examples", "digits"))
from tracking import Server

SERVER_PYTHON = os.path.join(os.environ.get("SERVER_VENV") or
                             os.path.dirname(os.path.dirname(support.PYTHON)) + "-server", "bin", "python")

# Logs two versions of the model `house`, the second one with an input example. -> JSON, as its last line
TRAIN = """
import json, logging, os, sys, warnings
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow, mlflow.sklearn, pandas
from sklearn.linear_model import LinearRegression
warnings.filterwarnings("ignore")
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("house")
houses = pandas.DataFrame({"area": [50.0, 100.0, 150.0], "rooms": [1.0, 3.0, 2.0]})
logged = []
for factor in (1.0, 2.0):
    with mlflow.start_run(run_name="train-%d" % factor) as run:
        model = LinearRegression().fit(houses, [factor * area for area in houses["area"]])
        info = mlflow.sklearn.log_model(model, name="model", registered_model_name="house",
                                        input_example=houses if factor == 2.0 else None,
                                        pip_requirements=["mlflow-skinny", "scikit-learn"])
        logged.append({"run": run.info.run_id, "model": info.model_uri, "version": info.registered_model_version})
mlflow.MlflowClient().set_registered_model_alias("house", "champion", "1")
mlflow.MlflowClient().transition_model_version_stage("house", "1", "Production")
print(json.dumps(logged))
"""

ROWS = '{"columns": ["area", "rooms"], "data": [[80.0, 2.0]]}'

folder = server = logged = None


def setUpModule():
    global folder, server, logged
    folder = tempfile.mkdtemp(prefix="tracking.")
    server = Server(SERVER_PYTHON, os.path.join(folder, "server"))
    try:
        env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        env.update(no_proxy="127.0.0.1", NO_PROXY="127.0.0.1", GIT_PYTHON_REFRESH="quiet",
                   XDG_CONFIG_HOME=folder)
        done = subprocess.run([support.PYTHON, "-B", "-c", TRAIN, server.uri], env=env, cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", timeout=support.SAFETY)
        if done.returncode:
            raise RuntimeError(done.stdout)
        logged = json.loads(done.stdout.strip().splitlines()[-1])
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    if server:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


class Registry(MlflowCase):
    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "reg", "--type=mlflow", "--python", support.PYTHON,
                      "--tracking-uri", server.uri)
        status, _ = support.post(server.uri + "/api/2.0/mlflow/registered-models/alias",
                                 {"name": "house", "alias": "champion", "version": "1"})
        self.assertEqual(status, 200)

    def deploy_from(self, uri, *args, status=0, name="house"):
        return self.home.run("deploy", uri, "--deployer", "reg", "--model-name", name, "--min-ready", "0",
                             *args, status=status)

    def check(self, uri, *args, status=0):
        return self.deploy_from(uri, "--dry-run", *args, status=status)

    def predicts(self, uuid, factor):
        answer = self.home.run("predict", uuid, "--data", ROWS).json
        self.assertAlmostEqual(answer["predictions"][0], 80.0 * factor, places=6)

    def staged(self, what):
        path = os.path.join(self.home.path, "deployers", "mlflow", what)
        return os.listdir(path) if os.path.isdir(path) else []

    def test_every_way_to_name_one(self):
        for uri in ("models:/house/1", "models:/house@champion", "models:/house/Production",
                    logged[0]["model"], "runs:/%s/model" % logged[0]["run"]):
            self.check(uri)
        self.assertEqual(len(self.staged("models")), 1)  # always the same one
        for uri in ("models:/house/latest", "models:/house", "models:/house/2"):
            self.check(uri)
        self.assertEqual(len(self.staged("models")), 2)
        self.assertEqual(self.staged("incoming"), [])

    def test_what_is_not_there(self):
        for uri in ("models:/house/9", "models:/house@nobody", "models:/barn/1", "models:/barn@champion",
                    "models:/barn/latest", "models:/house/Archived", "runs:/%s/other" % logged[0]["run"],
                    "runs:/%s/model" % ("0" * 32), "models:/m-" + "0" * 32):
            said = self.check(uri, status=3)
            self.assertIn(uri.split("/")[1].split("@")[0], said.err)
        self.assertIn("no stage", self.check("models:/house/nosuch", status=2).err)
        self.assertEqual(self.staged("models"), [])

    def test_a_promotion(self):
        self.deploy_from("models:/house@champion")
        service = self.service()
        self.predicts(service["uuid"], 1.0)
        self.deploy_from("models:/house/latest", "--option", "registry_alias=champion")
        self.predicts(service["uuid"], 2.0)
        self.assertEqual(server.version_of("house", "champion"), 2)
        self.assertEqual(server.tags_of("house", 2),
                         {"ctcd.service": service["uuid"], "ctcd.revision": "2"})
        self.assertEqual(server.tags_of("house", 1), {})
        # What does not come up moves nothing: this Python has no MLflow.
        self.home.run("model-deployer", "register", "none", "--type=mlflow", "--python", "/bin/false",
                      "--tracking-uri", server.uri)
        self.home.run("deploy", "models:/house/1", "--deployer", "none", "--model-name", "house",
                      "--option", "registry_alias=champion", status=1)
        self.assertEqual(server.version_of("house", "champion"), 2)
        self.home.run("served-models", "stop", service["uuid"])
        self.home.run("served-models", "start", service["uuid"])
        self.predicts(service["uuid"], 2.0)
        self.home.run("served-models", "delete", service["uuid"])
