"""MLflow 2.20.4, the last one that serves with gunicorn, in an environment of the models' own: what it
serves was saved by it, while the deployer's own Python has MLflow 3."""

import json
import os
import signal
import time

import support
from rig import GUNICORN_VENV, MlflowCase, Models

OWN = ("--option", "virtualenv=" + GUNICORN_VENV)
QUICK = ("--min-ready", "0")

models = None


def setUpModule():
    global models
    models = Models(os.path.join(GUNICORN_VENV, "bin", "python"))


def tearDownModule():
    models.remove()


class Life(MlflowCase):
    def serve(self, name, *args, status=0):
        return self.deploy(models[name], *OWN, *args, status=status)

    def predicts(self, service, name):
        status, answer = support.post(service["prediction_url"], models.request)
        self.assertEqual(status, 200)
        self.assert_predicts(answer, models.expected[name])

    def refused(self, name, status=1, *, message, tail, hint):
        """The first revision serves on, and nothing of the other one is left."""
        before, processes, ports = self.service(), self.home.processes(), self.home.ports()
        said = self.serve(name, *QUICK, status=status)
        first, _, rest = said.err.partition("\n")
        for word in message:
            self.assertIn(word, first)
        self.assertIn(tail, rest)
        self.assertIn(hint, rest.rpartition("  next: ")[2])
        now = self.service()
        for key in ("uuid", "prediction_url", "revision", "state"):
            self.assertEqual(now[key], before[key], key)
        self.assertEqual((self.home.processes(), self.home.ports()), (processes, ports))
        return said

    def test_from_the_first_deploy_to_the_end(self):
        self.serve("good_1", *QUICK)
        first = self.service()
        self.assertEqual((first["state"], first["revision"]), ("active", 1))
        self.predicts(first, "good_1")
        with open("/proc/%d/cmdline" % self.server(first), "rb") as f:
            self.assertEqual(f.read().split(b"\0")[:3],
                             [os.path.join(GUNICORN_VENV, "bin", "python").encode(), b"-m", b"gunicorn"])
        self.assertIn("Starting gunicorn", self.home.run("served-models", "logs", first["uuid"]).out)

        self.refused("broken", message=["revision 2 of house did not become ready", "exit status 3",
                                        "UnpicklingError"],
                     tail="Worker failed to boot", hint="save the model again")
        self.refused("missing_module", message=["No module named 'house_features'"],
                     tail="Worker failed to boot",
                     hint="install house_features into the server's environment (%s/bin/python)" % GUNICORN_VENV)

        self.serve("good_2", *QUICK)
        now = self.service()
        self.assertEqual((now["uuid"], now["state"], now["revision"]), (first["uuid"], "active", 4))
        self.predicts(now, "good_2")
        self.assertEqual(len(self.shims()), 1)

        self.home.run("served-models", "stop", now["uuid"])
        self.assertEqual(self.service()["state"], "inactive")
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
        self.home.run("served-models", "start", now["uuid"])
        again = self.service()
        self.assertEqual((again["prediction_url"], again["state"]), (now["prediction_url"], "active"))
        self.predicts(again, "good_2")

        os.kill(self.server(again), signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: self.service()["state"] == "error", 15))
        self.assertIn("SIGKILL", self.service()["last_error"])

        self.home.run("served-models", "delete", now["uuid"])
        self.assertEqual(self.services(), [])
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
