"""Options of the MLflow back end, on stand-in servers: whose Python serves and how it is started, where it
listens, what its server finds in its environment; each mistake is refused before anything starts."""

import json
import os
import socket

import support
from stand_in import STAND_IN, StandInCase


class Case(StandInCase):
    def environment(self, name, *packages, app="wsgi.py", python=True):
        """A folder that looks like a virtual environment, with the stand-in as its Python."""
        folder = os.path.join(self.home.folder, name)
        site = os.path.join(name, "lib", "python3.11", "site-packages")
        self.home.file(name + "/pyvenv.cfg", "include-system-site-packages = false\n")
        self.home.file(site + "/x/__init__.py", "")
        for package in packages:
            self.home.file(os.path.join(site, package, "METADATA"), "")
        if app:
            self.home.file(os.path.join(site, "mlflow", "pyfunc", "scoring_server", app), "")
        if python:
            os.makedirs(os.path.join(folder, "bin"))
            os.symlink(STAND_IN, os.path.join(folder, "bin", "python"))
        return folder

    def server(self):
        """Id of the only server, the shim apart."""
        found = [pid for pid, line in self.home.processes().items()
                 if "ctcd-shim" not in line.split(" ")[0]]
        self.assertEqual(len(found), 1, self.home.processes())
        return found[0]

    def arguments(self):
        with open("/proc/%d/cmdline" % self.server()) as f:
            return f.read().split("\0")[:-1]

    def variables(self):
        with open("/proc/%d/environ" % self.server()) as f:
            return dict(entry.split("=", 1) for entry in f.read().split("\0") if "=" in entry)

    def refused(self, *args, status=2, words, model=None):
        """Before anything starts."""
        said = self.deploy(model or self.model(), *args, status=status)
        for word in words:
            self.assertIn(word, said.err)
        self.assertIn("next: ", said.err)
        self.assertEqual(self.home.processes(), {})
        return said


OLD = ("mlflow_skinny-2.20.4.dist-info", "gunicorn")
NEW = ("mlflow-3.17.2.dist-info", "uvicorn")


class Environments(Case):
    def test_a_virtual_environment_of_the_models_own(self):
        folder = self.environment("old", *OLD)
        self.deploy(self.model(), "--option", "virtualenv=" + folder, "--option", "workers=3", "--option",
                    "request_timeout=90s")
        self.assertEqual(self.arguments(), [
            folder + "/bin/python", "-m", "gunicorn", "--bind", "fd://3", "--workers", "3", "--timeout",
            "90", "--", "mlflow.pyfunc.scoring_server.wsgi:app"])
        found = self.variables()
        self.assertEqual(found["VIRTUAL_ENV"], folder)
        self.assertEqual(found["PATH"].split(":")[0], folder + "/bin")
        self.assertEqual(found["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"], "90")

        # The next revision may be served by another one; relative paths mean where they were given.
        self.environment("new", *NEW, app="app.py")
        self.deploy(self.model(), "--option", "env_manager=virtualenv", "--option", "virtualenv=./new")
        self.assertEqual(self.arguments(), [
            self.home.folder + "/./new/bin/python", "-m", "uvicorn", "--fd", "3", "--workers", "1",
            "--no-access-log", "mlflow.pyfunc.scoring_server.app:app"])

        # And the deployer's own Python serves where nothing else is said.
        self.deploy(self.model(), "--option", "env_manager=local", "--option", "access_log=true")
        self.assertEqual(self.arguments()[:3] + self.arguments()[-3:], [
            STAND_IN, "-m", "uvicorn", "--workers", "1", "mlflow.pyfunc.scoring_server.app:app"])
        self.assertNotIn("VIRTUAL_ENV", self.variables())

    def test_a_relative_path_in_a_pipeline_means_the_pipelines_folder(self):
        folder = self.environment("pipelines/own", *OLD)
        path = self.home.file("pipelines/p.yaml", "pipeline: p\nsteps:\n  serve:\n    deploy: {model_name: m, "
                              "model_uri: '%s', min_ready: 0, options: {virtualenv: ./own}}\n" % self.model())
        self.home.run("pipeline", "run", path)
        self.assertEqual(os.path.normpath(self.arguments()[0]), folder + "/bin/python")

    def test_the_environment_of_the_deployers_python_counts_likewise(self):
        for name, packages, app, module in (("of-2", OLD, "wsgi.py", "gunicorn"),
                                            ("of-3", NEW, "app.py", "uvicorn"),
                                            ("of-1", ("mlflow-1.30.1.dist-info", "gunicorn"), "wsgi.py",
                                             "gunicorn"),
                                            ("both", ("mlflow-2.21.0.dist-info", "uvicorn", "gunicorn"),
                                             "app.py", "uvicorn"),
                                            ("editable", ("mlflow-2.9.2.dist-info",), None, "gunicorn")):
            with self.subTest(name):
                folder = self.environment(name, *packages, app=app)
                self.home.run("model-deployer", "update", "ml", "--python", folder + "/bin/python")
                self.deploy(self.model())
                self.assertEqual(self.arguments()[:3], [folder + "/bin/python", "-m", module])

    def test_what_cannot_serve_is_refused_before_anything_starts(self):
        virtualenv = "virtualenv=" + os.path.join(self.home.folder, "own")
        self.refused("--option", virtualenv, status=3,
                     words=["own does not exist", "python3 -m venv " + virtualenv[11:],
                            "pip install -r MODEL/requirements.txt"])
        self.refused("--option", "virtualenv=" + self.home.file("file", ""), words=["is no folder"])
        self.environment("own", *OLD, python=False)
        self.refused("--option", virtualenv, words=["has no Python (bin/python)"])
        self.refused("--option", "env_manager=virtualenv", words=["needs the path of one"])
        self.refused("--option", "env_manager=local", "--option", virtualenv, words=["leave one of them out"])
        self.deploy(self.model(), "--option", "env_manager=conda", status=2)
        for name, packages, app, status, words in (
                ("empty", (), None, 3, ["has no MLflow", "pip install mlflow"]),
                ("half-2", OLD[:1], "wsgi.py", 3, ["has no gunicorn, with which its MLflow 2.20.4 serves",
                                                  "-m pip install 'gunicorn<24' 'flask<3.1'"]),
                ("half-3", NEW[:1], "app.py", 3, ["has no uvicorn, with which its MLflow 3.17.2 serves"]),
                ("later", ("mlflow-4.0.dist-info", "uvicorn"), "other.py", 2,
                 ["how a server of MLflow 4.0 starts", "is not known"])):
            with self.subTest(name):
                folder = self.environment(name, *packages, app=app)
                self.refused("--option", "virtualenv=" + folder, status=status, words=words)
        for timeout in ("0s", "100ms", "25h", "36500d"):
            with self.subTest(timeout):
                self.refused("--option", "request_timeout=" + timeout, words=["request_timeout is 1s to 24h"])
        self.assertEqual(self.services(), [])


def port_of(service):
    return int(service["prediction_url"].split("/")[2].rpartition(":")[2])


def taken(port=0, host="127.0.0.1"):
    """A socket that listens there; 0 = on a free port."""
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1)
    return listener


class Ports(Case):
    """zenml.md's test vector 8: a preferred port that is busy, the last port, a scan."""

    def free_ports(self, count):
        """That many free ports in a row."""
        row = []
        for port in range(8000 + os.getpid() % 20000, 65000):  # where nobody else of this kind looks
            try:
                taken(port).close()
            except OSError:
                row = []
                continue
            row.append(port)
            if len(row) == count:
                return row
        self.fail("no %d free ports in a row" % count)

    def service(self):
        services = self.services()
        self.assertEqual(len(services), 1)
        return services[0]

    def test_a_port_that_is_asked_for(self):
        port = self.free_ports(1)[0]
        self.deploy(self.model(), "--option", "port=%d" % port, "--option", "allocate_port=false")
        self.assertEqual(port_of(self.service()), port)
        # A replace cannot have it, while what serves has it: it says so, and nothing has happened.
        said = self.deploy(self.model(), "--option", "port=%d" % port, "--option", "allocate_port=false",
                           status=6)
        self.assertIn("port: %d of 127.0.0.1 is taken" % port, said.err)
        self.assertIn("allocate_port=true", said.err)
        self.assertIn("still serves", said.err)
        self.assertEqual((port_of(self.service()), self.service()["state"]), (port, "active"))
        self.deploy(self.model(), "--option", "port=%d" % port)  # then another one will do
        self.assertNotEqual(port_of(self.service()), port)

    def test_a_preferred_port_that_is_busy_and_none_else_will_do(self):
        with taken() as busy:
            port = busy.getsockname()[1]
            said = self.deploy(self.model(), "--option", "port=%d" % port, "--option", "allocate_port=no",
                               status=6)
            self.assertIn("port: %d of 127.0.0.1 is taken" % port, said.err)
            self.assertEqual(self.home.processes(), {})
            self.deploy(self.model(), "--option", "port=%d" % port)
            self.assertNotEqual(port_of(self.service()), port)

    def test_the_last_port_is_used_again_where_it_is_free(self):
        self.deploy(self.model())
        first = port_of(self.service())
        uuid = self.uuid()
        for _ in range(2):
            self.home.run("served-models", "stop", uuid)
            self.home.run("served-models", "start", uuid)
            self.assertEqual(port_of(self.service()), first)
        self.home.run("served-models", "stop", uuid)
        with taken(first):
            self.home.run("served-models", "start", uuid)
            self.assertNotEqual(port_of(self.service()), first)

    def test_a_range_is_scanned_from_its_start(self):
        ports = self.free_ports(3)
        self.home.run("model-deployer", "update", "ml", "--port-range", "%d-%d" % (ports[0], ports[2]))
        with taken(ports[0]):
            self.deploy(self.model(), name="a")
            self.deploy(self.model(), name="b")
            self.assertEqual(sorted(port_of(s) for s in self.services()), ports[1:])
            said = self.deploy(self.model(), name="c", status=6)
            self.assertIn("none of the ports %d to %d of 127.0.0.1 is free" % (ports[0], ports[2]), said.err)
        self.deploy(self.model(), name="c")
        self.assertEqual(sorted(port_of(s) for s in self.services()), ports)

    def test_what_is_no_place_to_listen(self):
        for text in ("8000", "8000-", "9000-8000", "0-10", "8000-70000", "8000-8010x", "-1-5", "a-b"):
            with self.subTest(text):
                self.home.run("model-deployer", "update", "ml", "--port-range", text)
                self.refused(words=["port_range", "8000-8999"])
        self.home.run("model-deployer", "update", "ml", "--port-range", "8000-8999")
        for option, word in (("port=-1", "port: -1"), ("port=65536", "port: 65536"),
                             ("allocate_port=false", "needs a port"), ("workers=0", "workers: 0"),
                             ("workers=65", "workers: 65")):
            with self.subTest(option):
                said = self.deploy(self.model(), "--option", option, status=2)
                self.assertIn(word, said.err)
        self.home.run("model-deployer", "update", "ml", "--host", "no.host.invalid")
        self.refused(words=["no.host.invalid", "127.0.0.1"])

    def test_the_host(self):
        self.home.run("model-deployer", "update", "ml", "--host", "127.0.0.2")
        self.deploy(self.model())
        self.assertTrue(self.service()["prediction_url"].startswith("http://127.0.0.2:"))
        self.assertEqual(self.home.run("predict", self.uuid(), "--data", "[[1]]").json, {"predictions": [1]})
        self.assertTrue(support.refuses("http://127.0.0.1:%d/" % port_of(self.service())))


class Variables(Case):
    def test_the_servers_environment(self):
        secret = self.home.file("secret", "s3cret\n")
        self.home.env["OF_THE_CALLER"] = "from here"
        self.deploy(self.model(), "--option", "environment=OMP_NUM_THREADS=2,A_TOKEN=env:OF_THE_CALLER,DB_PASSWORD="
                    "file:" + secret + ",EMPTY=,PYTHONUNBUFFERED=0")
        found = self.variables()
        self.assertEqual([found[name] for name in (
            "OMP_NUM_THREADS", "A_TOKEN", "DB_PASSWORD", "EMPTY", "PYTHONUNBUFFERED")],
            ["2", "from here", "s3cret", "", "0"])
        # What is kept is the reference.
        for root, _, names in os.walk(self.home.path):
            for name in names:
                with open(os.path.join(root, name), "rb") as f:
                    self.assertNotIn(b"s3cret", f.read(), name)

        self.deploy(self.model(), "--option", "environment=" + json.dumps(
            {"A": "x,y=z", "B": 2, "C": True, "MLFLOW_TRACKING_URI": "file:///nowhere"}))
        found = self.variables()
        self.assertEqual([found[name] for name in ("A", "B", "C", "MLFLOW_TRACKING_URI")],
                         ["x,y=z", "2", "true", "file:///nowhere"])
        self.assertNotIn("OMP_NUM_THREADS", found)

    def test_in_a_pipeline(self):
        path = self.home.file("p.yaml", """\
pipeline: p
params: {threads: 3}
steps:
  serve:
    deploy:
      model_name: m
      model_uri: %s
      min_ready: 0
      options: {environment: {OMP_NUM_THREADS: "${params.threads}", B: 1}}
""" % self.model())
        self.home.run("pipeline", "run", path)
        self.assertEqual((self.variables()["OMP_NUM_THREADS"], self.variables()["B"]), ("3", "1"))

    def test_what_is_refused(self):
        for text, words in (("A", ["no NAME=VALUE"]), ("=x", ["no name of a variable"]),
                            ("1A=x", ["no name of a variable"]), ("A-B=x", ["no name of a variable"]),
                            ("CTCD_HOME=/x", ["not for you to set"]),
                            ("__pyfunc_model_path__=/x", ["not for you to set"]),
                            ("HF_TOKEN=abc", ["HF_TOKEN takes a reference", "env:NAME or file:PATH"]),
                            ("HF_TOKEN=file:///abc", ["HF_TOKEN takes a reference"]),
                            ("AWS_SECRET_ACCESS_KEY=abc", ["takes a reference"]),
                            ("db_password=abc", ["takes a reference"]), ("OPENAI_API_KEY=x", ["a reference"]),
                            ("A=http://me:pw@host/", ["never holds a password"]),
                            ("A=file:here", ["absolute path"]), ('{"A": [1]}', ["not a single value"]),
                            ('{"A": 1, "A": 2}', ["environment"]), ("{", ["environment"]),
                            ("A=1,B=2,A=3", ["A is there twice", "as JSON"])):
            with self.subTest(text):
                said = self.deploy(self.model(), "--option", "environment=" + text, status=2)
                for word in words:
                    self.assertIn(word, said.err)
                self.assertNotIn("abc", said.err)
        self.refused("--option", "environment=A_TOKEN=env:NOT_THERE", status=3,
                     words=["A_TOKEN", "there is no env:NOT_THERE"])
        self.assertEqual(self.services(), [])
        self.deploy(self.model(), "--option",
                    "environment=TOKENIZERS_PARALLELISM=false,AWS_ACCESS_KEY_ID=a,PASSWORD_FILE=/x")


class Requests(Case):
    def test_csv(self):
        self.deploy(self.model("4.5"))
        uuid = self.uuid()
        path = self.home.file("rows.csv", "a,b\n1,2\n3,4\n")
        two = {"predictions": [4.5, 4.5]}
        self.assertEqual(self.home.run("predict", uuid, "--input", path).json, two)
        self.assertEqual(self.home.run("predict", uuid, "--content-type", "text/csv",
                                       stdin="a,b\n1,2\n3,4").json, two)
        self.assertEqual(self.home.run("predict", uuid, "--content-type", "text/csv", "--data", "a\n1\n2").json, two)
        other = self.home.file("rows.txt", "a,b\n1,2\n")
        self.assertIn("request:1", self.home.run("predict", uuid, "--input", other, status=2).err)
        for args in (("--content-type", "text/csv", "--data", "a,b"),
                     ("--content-type", "application/json", "--input", path),
                     ("--content-type", "text/plain", "--data", "a")):
            self.home.run("predict", uuid, *args, status=2)

    def test_what_is_not_a_number_is_a_text(self):
        for value in ("NaN", "Infinity", "-Infinity"):
            with self.subTest(value):
                self.deploy(self.model(value))
                out = self.home.run("predict", self.uuid(), "--data", "[[1], [2]]").out
                self.assertEqual(json.loads(out, parse_constant=self.fail), {"predictions": [value] * 2})

    def test_a_server_of_the_first_protocol(self):
        folder = self.environment("one", "mlflow-1.30.1.dist-info", "gunicorn")
        self.deploy(self.model("7", "protocol 1"), "--option", "virtualenv=" + folder)
        for data in ("[[1, 2]]", '{"columns": ["a"], "data": [[1]]}', '[{"a": 1}]', '{"a": 1}', '{"a": [1]}',
                     '{"dataframe_split": {"columns": ["a"], "data": [[1]]}}', '{"dataframe_records": [{"a": 1}]}',
                     '{"instances": [1]}'):
            with self.subTest(data):
                self.assertEqual(self.home.run("predict", self.uuid(), "--data", data).json, [7])
        said = self.home.run("predict", self.uuid(), "--data", '{"inputs": [1], "params": {"a": 1}}', status=2)
        self.assertIn("MLflow 1.x", said.err)
