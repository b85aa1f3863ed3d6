"""Deploying to real MLflow servers: what is served answers, whatever else is tried; what does not load
says why and leaves nothing behind; what is killed is seen and comes back; predictions in every form."""

import json
import os
import signal
import threading
import time

import support
from rig import MlflowCase, Models

QUICK = ("--min-ready", "0")  # for what is not about the wait before a switch

models = None


def setUpModule():
    global models
    models = Models()


def tearDownModule():
    models.remove()


class Replace(MlflowCase):
    def setUp(self):
        super().setUp()
        self.deploy(models["good_1"], "--metrics", '{"error": 40.5}')
        self.before = self.service()
        self.assertEqual((self.before["state"], self.before["revision"]), ("active", 1))

    def refused(self, path, status, *args, message, hint, tail=None):
        """Deploys what cannot be served. The command must say why, in its message, in what it says is to be
        done next and, where a server was started (tail), in the server's last lines. All must be as it was:
        the service, its processes, its ports."""
        processes, ports = self.home.processes(), self.home.ports()
        begun, before = time.monotonic(), self.asking.answered()
        said = self.deploy(path, *QUICK, *args, status=status)
        print("\nmeasured: %s %s: refused after %.1f s, %d requests answered meanwhile" % (
            os.path.basename(path), " ".join(args), time.monotonic() - begun,
            self.asking.answered() - before))
        self.assertEqual(said.out, "")
        first, _, rest = said.err.partition("\n")
        lines, _, next_step = rest.rpartition("  next: ")
        self.assertTrue(first.startswith("ctcd: "), said)
        for word in message:
            self.assertIn(word, first)
        self.assertIn(hint, next_step)
        if tail is None:
            self.assertNotIn("last lines:", said.err)
        else:
            self.assertTrue(lines.lstrip().startswith("last lines:"), said)
            self.assertIn(tail, lines)
            self.assertIn("revision 1 (%s) still serves at %s" % (
                models["good_1"], self.before["prediction_url"]), first)
            self.assertGreater(self.asking.answered(), before)
        now = self.service()
        for key in ("uuid", "prediction_url", "revision", "state", "model_uri", "metrics"):
            self.assertEqual(now[key], self.before[key], key)
        self.assertEqual(self.home.processes(), processes)
        self.assertEqual(self.home.ports(), ports)

    def test_what_does_not_load_never_serves(self):
        with support.Asking(self.before["prediction_url"], models.request) as self.asking:
            self.refused(models["missing_module"], 1, tail="No module named 'house_features'",
                         message=["revision 2 of house did not become ready", "exit status 1",
                                  "No module named 'house_features'"],
                         hint="install house_features into the server's environment")
            self.refused(models["broken"], 1, tail="UnpicklingError",
                         message=["revision 3 of house did not become ready", "UnpicklingError"],
                         hint="the model's file is damaged or no pickle: save the model again")
            self.refused(models["broken"], 1, "--option", "workers=2", tail="UnpicklingError",
                         message=["revision 4 of house did not become ready", "UnpicklingError"],
                         hint="save the model again")
            self.refused(models["nowhere"], 3, message=[models["nowhere"]], hint="path")
            self.refused(os.path.dirname(models["good_1"]), 2, message=["MLmodel"], hint="MLmodel")
        self.assertEqual(self.asking.failures, [])
        self.assertEqual(self.asking.answered(), self.asking.sent)  # none was lost
        self.assertGreater(self.asking.sent, 50)
        print("\nmeasured: %d requests, all answered by the first model" % self.asking.sent)
        for answer in self.asking.answers:
            self.assert_predicts(json.loads(answer), models.expected["good_1"])

    def test_a_better_one_takes_over(self):
        old_url = self.before["prediction_url"]
        old_server = self.server(self.before)
        self.deploy(models["good_2"], "--metrics", '{"error": 5.1}')
        now = self.service()
        self.assertEqual(now["uuid"], self.before["uuid"])
        self.assertEqual((now["state"], now["revision"]), ("active", 2))
        self.assertEqual(now["metrics"], {"error": 5.1})
        status, answer = support.post(now["prediction_url"], models.request)
        self.assertEqual(status, 200)
        self.assert_predicts(answer, models.expected["good_2"])
        self.assertNotIn(old_server, self.home.processes())
        if now["prediction_url"] != old_url:
            self.assertTrue(support.refuses(old_url))
        self.assertEqual(len(self.shims()), 1)


class FirstDeploy(MlflowCase):
    def test_a_first_model_that_does_not_load_leaves_no_server(self):
        said = self.deploy(models["missing_module"], status=1)
        self.assertIn("No module named 'house_features'", said.err)
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
        for service in self.services():  # it may stay listed, as an error
            self.assertEqual(service["state"], "error")

    def test_a_wrong_path_is_refused_before_anything_starts(self):
        said = self.deploy(models["nowhere"], status=3)
        self.assertIn(models["nowhere"], said.err)
        self.assertEqual(self.home.processes(), {})
        self.deploy(os.path.dirname(os.path.abspath(__file__)), status=2)  # a folder without a model

    def test_stop_lets_an_open_request_finish(self):
        self.deploy(models["slow"], *QUICK)
        service = self.service()
        result = []
        asking = threading.Thread(target=lambda: result.append(
            support.post(service["prediction_url"], models.request)), daemon=True)
        asking.start()
        port = int(service["prediction_url"].split("/")[2].rpartition(":")[2])
        self.assertTrue(support.wait_for(lambda: accepted(port)), "the request did not reach the server")
        self.home.run("served-models", "stop", service["uuid"])
        asking.join(support.SAFETY)
        self.assertTrue(result, "the request was not answered")
        self.assertEqual(result[0][0], 200)
        self.assert_predicts(result[0][1], models.expected["good_2"])
        self.assertEqual(self.service()["state"], "inactive")
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
        self.assertTrue(support.refuses(service["prediction_url"]))


def accepted(port):
    """Has a server read all that came over a connection to this port?"""
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if (int(words[1].rpartition(":")[2], 16) == port and words[3] == "01" and words[9] != "0"
                    and words[4].endswith(":00000000")):
                return True
    return False


class Killed(MlflowCase):
    def setUp(self):
        super().setUp()
        self.deploy(models["good_2"], *QUICK)
        self.before = self.service()

    def seen_as_error(self, *words):
        begun = time.monotonic()
        support.wait_for(lambda: self.service()["state"] == "error", 15)
        now = self.service()
        self.assertEqual(now["state"], "error", now)
        text = (now["last_error"] + " " + now["status_message"]).lower()
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(now["uuid"], self.before["uuid"])
        print("seen as error after %.2f s: %s" % (time.monotonic() - begun, now["last_error"]))

    def comes_back(self):
        self.home.run("served-models", "start", self.before["uuid"])
        now = self.service()
        self.assertEqual((now["uuid"], now["state"], now["last_error"]),
                         (self.before["uuid"], "active", ""))
        status, answer = support.post(now["prediction_url"], models.request)
        self.assertEqual(status, 200)
        self.assert_predicts(answer, models.expected["good_2"])
        self.assertEqual(len(self.shims()), 1)
        self.assertEqual(len(self.home.processes()), 2, "a shim and its server, nothing else")
        return now

    def test_server_shim_and_both(self):
        os.kill(self.server(self.before), signal.SIGKILL)
        self.seen_as_error("sigkill")
        now = self.comes_back()

        os.kill(self.shims()[0], signal.SIGKILL)
        self.seen_as_error("monitor lost")
        now = self.comes_back()

        shim, server = self.shims()[0], self.server(now)
        os.kill(shim, signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        self.seen_as_error("monitor lost")
        self.comes_back()


class Predict(MlflowCase):
    def predict(self, data, *args, status=0):
        result = self.home.run("predict", *args, "--data", json.dumps(data), status=status)
        return json.loads(result.out) if status == 0 else result.err

    def test_every_form_of_a_request(self):
        self.deploy(models["good_2"], *QUICK)
        expected = models.expected["good_2"]
        split = models.request["dataframe_split"]
        rows = [dict(zip(split["columns"], row)) for row in split["data"]]
        columns = {name: [row[name] for row in rows] for name in split["columns"]}
        for form in (models.request, split, {"dataframe_records": rows}, rows, {"instances": rows},
                     {"inputs": columns}, split["data"]):
            with self.subTest(form=form):
                self.assert_predicts(self.predict(form, "--model-name", "house"), expected)
        uuid = self.service()["uuid"]
        told = self.home.run("predict", uuid[:8], stdin=json.dumps(models.request))
        self.assert_predicts(told.json, expected)
        csv = "".join(",".join(map(str, row)) + "\n" for row in [split["columns"]] + split["data"])
        told = self.home.run("predict", uuid, "--content-type", "text/csv", stdin=csv)
        self.assert_predicts(told.json, expected)
        self.assertIn("area", self.predict({"dataframe_records": [{"rooms": 3.0}]}, uuid, status=2))
        self.home.run("predict", uuid, "--data", "{not JSON", status=2)

        self.home.run("served-models", "stop", uuid)
        said = self.home.run("predict", uuid, "--data", json.dumps(models.request), status=7)
        self.assertIn("next: ", said.err)

    def test_tensors(self):
        self.deploy(models["tensor"], *QUICK)
        expected = models.expected["good_2"]
        data = models.request["dataframe_split"]["data"]
        for form in ({"instances": data}, {"inputs": data}, data):
            with self.subTest(form=form):
                self.assert_predicts(self.predict(form, "--model-name", "house"), expected)

    def test_not_a_number(self):
        self.deploy(models["nan"], *QUICK)
        service = self.service()
        status, answer = support.post(service["prediction_url"], models.request)
        self.assertEqual((status, len(answer["predictions"])), (200, 3))
        for value in answer["predictions"]:  # what the server sends is no JSON, only Python's
            self.assertTrue(value != value, answer)
        self.assertEqual(self.predict(models.request, "--model-name", "house"), {"predictions": ["NaN"] * 3})


class Seed(MlflowCase):
    """The commands as the document that started the project prints them, on a served model."""

    def test_as_printed(self):
        self.home.run("model-deployer", "register", "mlagain", "--type=mlflow")
        self.home.run("artifact-store", "register", "aws", "--type=local")
        self.home.run("stack", "register", "ml_stack", "-m", "default", "-a", "aws", "-o", "default",
                      "-d", "ml")
        self.home.run("stack", "set", "ml_stack")
        self.deploy(models["good_2"], *QUICK, "--pipeline", "continuous_deployment_pipeline", "--step",
                    "mlflow_model_deployer_step")
        service = self.service()
        uuid = service["uuid"]
        listed = self.home.run("served-models", "list").out
        for text in (uuid, "continuous_deployment_pipeline", "mlflow_model_deployer_step"):
            self.assertIn(text, listed)
        described = self.home.run("served-models", "describe", uuid).out
        for text in ("MODEL_NAME", "MODEL_URI", "PIPELINE_NAME", "PIPELINE_STEP_NAME", "PREDICTION_URL",
                     "STATUS", "UUID", models["good_2"]):
            self.assertIn(text, described)
        self.assertIn(service["prediction_url"], self.home.run("served-models", "get-url", uuid).out)
        self.assertIn("Uvicorn running", self.home.run("served-models", "logs", uuid).out)
        self.home.run("served-models", "delete", uuid)
        self.assertEqual(self.services(), [])
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
        self.assertTrue(support.refuses(service["prediction_url"]))
