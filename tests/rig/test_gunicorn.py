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

        split = models.request["dataframe_split"]
        csv = "".join(",".join(map(str, row)) + "\n" for row in [split["columns"]] + split["data"])
        for args, text in (((), json.dumps(split)), (("--content-type", "text/csv"), csv)):
            told = self.home.run("predict", first["uuid"], *args, stdin=text)
            self.assert_predicts(told.json, models.expected["good_1"])

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

    def test_a_crash_loop_is_found(self):
        """Neither server ends by itself when its workers die one after the other."""
        for name, args, said in (("gunicorn", OWN, "was sent SIGKILL"),
                                 ("uvicorn", ("--option", "workers=2"), "workers die")):
            with self.subTest(name):
                deaths = os.path.join(self.home.folder, name + ".deaths")
                failed = self.deploy(models["dies"], *args, *QUICK, "--option", "environment=DEATHS=" + deaths,
                                     status=1, name=name)
                ended = time.time()
                self.assertIn("its server's workers die while they load the model", failed.err)
                self.assertIn(said, failed.err)
                with open(deaths, encoding="utf-8") as f:
                    second = sorted(float(line) for line in f)[1]
                print("\nmeasured: crash loop of %s found and its server gone %.1f s after the second "
                      "worker's death" % (name, ended - second))
                self.assertLess(ended - second, 5.0)
                self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))

    def test_replaced_under_load(self):
        self.serve("good_1", *QUICK)
        uuid = self.service()["uuid"]
        with Following(self.home, uuid, models.request) as client:
            self.assertTrue(support.wait_for(lambda: client.answered() > 10))
            self.serve("good_2", *QUICK)
            before = client.answered()
            self.assertTrue(support.wait_for(lambda: client.answered() > before + 10))
        print("\nmeasured: %d requests while gunicorn was replaced, %d lost, %d cut and sent again" % (
            client.sent, len(client.failures), client.cut))
        self.assertEqual(client.failures, [])
        self.assertEqual(client.answered(), client.sent)
        answers = [json.loads(text) for text in client.answers]
        self.assertEqual(len(answers), 2, answers)  # the first model's, then the second one's
        self.assert_predicts(answers[0], models.expected["good_1"])
        self.assert_predicts(answers[1], models.expected["good_2"])

    def test_a_mistake_in_the_model_is_named(self):
        self.serve("raises", *QUICK)
        said = self.home.run("predict", "--model-name", "house", "--data", json.dumps(models.request), status=2)
        self.assertIn("(ValueError: no house of this kind was ever sold)", said.err.partition("\n")[0])


class Following(support.Asking):
    """Asks where the service is now when nobody listens any more where it was; a request whose connection was
    cut before an answer is sent again, once."""

    def __init__(self, home, uuid, body):
        self.home, self.uuid, self.cut = home, uuid, 0
        super().__init__(self.now(), body)

    def now(self):
        return [s["prediction_url"] for s in self.home.json("served-models", "list") if s["uuid"] == self.uuid][0]

    def one(self):
        try:
            return super().one()
        except OSError as e:
            if not isinstance(getattr(e, "reason", e), ConnectionRefusedError):
                self.cut += 1
        self.url = self.now()
        return super().one()
