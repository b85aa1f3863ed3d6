"""Options of the MLflow back end, on stand-in servers: whose Python serves and how it is started, where it
listens, what its server finds in its environment; each mistake is refused before anything starts."""

import os

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
        self.assertEqual(self.services(), [])
