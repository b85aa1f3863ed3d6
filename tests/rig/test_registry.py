"""Models that a real MLflow tracking server knows: pinned, fetched, served; the registry hears of it."""

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
import uuid

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


def train(uri, folder, **more):
    """Logs the two models. -> what TRAIN prints"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    env.update(no_proxy="127.0.0.1", NO_PROXY="127.0.0.1", GIT_PYTHON_REFRESH="quiet", XDG_CONFIG_HOME=folder,
               **more)
    done = subprocess.run([support.PYTHON, "-B", "-c", TRAIN, uri], env=env, cwd=folder,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", timeout=support.SAFETY)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return json.loads(done.stdout.strip().splitlines()[-1])


def setUpModule():
    global folder, server, logged
    folder = tempfile.mkdtemp(prefix="tracking.")
    server = Server(SERVER_PYTHON, os.path.join(folder, "server"))
    try:
        logged = train(server.uri, folder)
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


# A certificate for 127.0.0.1 that is its own CA. argv: where to write it, and its key
CERTIFY = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
open(sys.argv[1], "wb").write(certificate.public_bytes(serialization.Encoding.PEM))
open(sys.argv[2], "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                serialization.NoEncryption()))
"""


class Guarded(MlflowCase):
    """A server that speaks TLS and wants a name and a password: MLflow's own basic-auth."""

    def at(self, *names):
        return os.path.join(self.home.folder, *names)

    def setUp(self):
        super().setUp()
        self.certificate, key, self.secret = self.at("certificate.pem"), self.at("key.pem"), uuid.uuid4().hex
        subprocess.run([SERVER_PYTHON, "-c", CERTIFY, self.certificate, key], check=True, timeout=support.SAFETY)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.certificate)))
        opener.addheaders = [("Authorization", "Basic " + base64.b64encode(
            ("admin:" + self.secret).encode()).decode())]
        self.tracking = Server(SERVER_PYTHON, self.at("server"), options=[
            "--app-name", "basic-auth", "--uvicorn-opts",
            "--ssl-keyfile '%s' --ssl-certfile '%s'" % (key, self.certificate)],
            settings={"MLFLOW_FLASK_SERVER_SECRET_KEY": uuid.uuid4().hex,
                      "MLFLOW_AUTH_ADMIN_PASSWORD": self.secret}, scheme="https", opener=opener)
        self.addCleanup(self.tracking.stop)
        with open(self.at("password"), "w", encoding="utf-8") as file:
            file.write(self.secret + "\n")

    def register(self, name, password, *more):
        self.home.run("model-deployer", "register", name, "--type=mlflow", "--python", support.PYTHON,
                      "--tracking-uri", self.tracking.uri, "--tracking-username", "env:TRACKING_USER",
                      "--tracking-password", password, *more)

    def deploy_with(self, name, *args, status=0, user="admin"):
        return self.home.run("deploy", "models:/house@champion", "--deployer", name, "--model-name", "house",
                             "--min-ready", "0", *args, status=status, env={"TRACKING_USER": user})

    def test_name_password_and_certificate(self):
        train(self.tracking.uri, self.home.folder, MLFLOW_TRACKING_USERNAME="admin",
              MLFLOW_TRACKING_PASSWORD=self.secret, MLFLOW_TRACKING_SERVER_CERT_PATH=self.certificate)
        ours = ["--tracking-ca-file", self.certificate]
        self.register("right", "file:" + self.at("password"), *ours)
        self.register("stranger", "file:" + self.at("password"))
        self.register("wrong", "env:TRACKING_USER", *ours)
        self.assertIn("certificate", self.deploy_with("stranger", "--dry-run", status=7).err)
        self.assertIn("tracking_password", self.deploy_with("wrong", "--dry-run", status=4).err)
        self.deploy_with("right", "--dry-run", status=4, user="nobody")
        self.deploy_with("right", "--option", "registry_alias=serving")
        answer = self.home.run("predict", self.service()["uuid"], "--data", ROWS).json
        self.assertAlmostEqual(answer["predictions"][0], 80.0, places=6)
        self.assertEqual(self.tracking.version_of("house", "serving"), 1)
        # It is in no file of the home, and in no command line or environment of what it started.
        found = subprocess.run(["grep", "-rl", self.secret, self.home.path], stdout=subprocess.PIPE,
                               encoding="utf-8", timeout=support.SAFETY)
        self.assertEqual((found.returncode, found.stdout), (1, ""))
        for pid in self.home.processes():
            for what in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, what), "rb") as file:
                    self.assertNotIn(self.secret.encode(), file.read())
        self.home.run("served-models", "delete", self.service()["uuid"])
