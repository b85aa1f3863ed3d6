"""deploy, predict and served-models, on stand-in servers."""

import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support
from terminal import box, on_terminal

PIPELINE, STEP = "continuous_deployment_pipeline", "seldon_model_deployer_step"
ROWS = "[[1, 2], [3, 4]]"


class Deploy(StandInCase):
    def test_the_life_of_a_model(self):
        said = self.deploy(self.model(1))
        uuid = self.uuid()
        url = self.home.run("served-models", "get-url", uuid).out.strip()
        self.assertEqual(said.out, "Served model %s (digits, revision 1) takes predictions at:\n  %s\n"
                         % (uuid, url))
        self.assertEqual(said.err, "")
        status, answer = support.post(url, {"instances": [[1]]})
        self.assertEqual((status, answer), (200, {"predictions": [1]}))

        said = self.deploy(self.model(2), "-o", "name")  # in its place
        self.assertEqual(said.out, uuid + "\n")
        self.assertEqual(self.services()[0]["revision"], 2)

        self.assertIn(uuid, self.home.run("served-models", "stop", uuid).out)
        self.assertEqual(self.services()[0]["state"], "inactive")
        self.home.run("predict", uuid, "--data", ROWS, status=7)
        self.assertIn("the request is missing", self.home.run("predict", uuid, status=2).err)
        self.assertEqual(self.home.json("served-models", "start", uuid)["uuid"], uuid)
        self.assertEqual(self.services()[0]["state"], "active")
        self.assertEqual(self.home.run("predict", uuid, "--data", ROWS).json["predictions"], [2, 2])

        said = self.home.run("served-models", "delete", uuid)
        self.assertEqual((said.out, said.err), ("", ""))
        self.assertEqual(self.services(), [])
        self.home.run("served-models", "delete", uuid, status=3)

    def test_options(self):
        metrics = '{"accuracy": 0.93}'
        sample = self.home.file("sample.json", ROWS)
        made = self.deploy(self.model(), "--pipeline", PIPELINE, "--step", STEP, "--option", "workers=1",
                           "--metrics", metrics, "--smoke", sample, "--deployer", "ml", "-o", "json").json
        self.assertEqual((made["pipeline_name"], made["pipeline_step_name"], made["metrics"]),
                         (PIPELINE, STEP, json.loads(metrics)))

    def test_identities_are_separate(self):
        self.deploy(self.model(), "--pipeline", "a")
        self.deploy(self.model(), "--pipeline", "b")
        self.deploy(self.model(), name="other")
        self.assertEqual(len(self.services()), 3)
        for args, count in [(("--pipeline", "a"), 1), (("--model", "digits"), 2), (("-m", "other"), 1),
                            (("--deployer", "ml"), 3), (("--step", "none"), 0), (("--running",), 3)]:
            said = self.home.run("served-models", "list", *args)
            self.assertEqual(len(said.out.splitlines()), 1 + count, said)
        said = self.home.run("predict", "--model-name", "digits", "--data", ROWS, status=6)
        self.assertIn("2 served models", said.err)
        self.home.run("predict", "--model-name", "digits", "--pipeline", "b", "--data", ROWS)

    def test_dry_run_starts_nothing(self):
        self.deploy(self.model(), "--dry-run")
        self.deploy(os.path.join(self.home.folder, "nowhere"), "--dry-run", status=3)
        self.assertEqual(self.services(), [])

    def test_refused(self):
        model = self.model()
        self.assertIn("--model-name", self.home.run("deploy", model, status=2).err)
        said = self.deploy(model, "--option", "wrokers=1", status=2)
        self.assertIn("workers", said.err)
        self.assertIn("name=value", self.deploy(model, "--option", "workers", status=2).err)
        self.deploy(model, "--metrics", "[]", status=2)
        self.deploy(model, "--min-ready", "soon", status=2)
        self.deploy(model, "--on-failure", "retry", status=2)
        self.deploy(model, "--deployer", "nosuch", status=3)
        self.deploy(model, "--smoke", os.path.join(self.home.folder, "nowhere"), status=3)
        self.deploy(os.path.join(self.home.folder, "nowhere"), status=3)
        self.assertEqual(self.services(), [])

    def test_a_server_that_ends(self):
        self.deploy(self.model(1))
        before = self.services()[0]
        said = self.deploy(self.model(2, "exit 3", "stderr No module named 'skops'"), status=1)
        self.assertEqual(said.out, "")
        self.assertIn("exit status 3", said.err.splitlines()[0])
        self.assertIn("\n  last lines:", said.err)
        self.assertIn("No module named 'skops'", said.err)
        self.assertEqual(self.services()[0]["prediction_url"], before["prediction_url"])
        self.assertEqual(self.home.run("predict", before["uuid"], "--data", ROWS).json["predictions"],
                         [1, 1])

    def test_a_server_that_is_never_ready(self):
        said = self.deploy(self.model(1, "deaf"), "--timeout", "3s", status=5)
        self.assertIn("\n  next: ", said.err)

    def test_no_wait(self):
        for name, *args in [("digits", "--no-wait"), ("other", "--timeout", "0")]:
            said = self.deploy(self.model(1, "ready-after 300"), *args, name=name)
            self.assertIn("in the background", said.out)
        self.assertTrue(support.wait_for(
            lambda: [s["state"] for s in self.services()] == ["active", "active"]))
        for service in self.services():
            said = self.home.run("served-models", "delete", service["uuid"], "--no-wait")
            self.assertIn(service["uuid"], said.out)
        self.assertTrue(support.wait_for(lambda: not self.services()))

    def test_no_wait_tells_what_is_refused(self):
        self.deploy(os.path.join(self.home.folder, "nowhere"), "--no-wait", status=3)
        for other in ("--wait", "--timeout=60s"):
            said = self.deploy(self.model(), "--no-wait", other, name="third", status=2)
            self.assertIn("--no-wait and %s exclude each other" % other.partition("=")[0], said.err)


RELATIVE = """\
pipeline: relative
steps:
  train:
    command: [sh, -c, 'echo "{\\"model\\": \\"model-2\\"}" >"$CTCD_OUTPUTS"']
    outputs: [model]
  first:
    deploy: {model_name: one, model_uri: ./model-1, min_ready: 0s}
  second:
    deploy: {model_name: two, model_uri: train.model, min_ready: 0s}
"""


class OfAPipeline(StandInCase):
    def test_a_relative_path_means_the_folder_of_the_file(self):
        models = {"one": self.model(1), "two": self.model(2)}
        self.home.run("pipeline", "run", self.home.file("relative.yaml", RELATIVE), cwd="/")
        self.assertEqual({s["model_name"]: s["model_uri"] for s in self.services()}, models)
        for service in self.services():
            self.home.run("served-models", "delete", service["uuid"])


class Signals(StandInCase):
    def end_by(self, number, *args):
        """Starts the command, ends it by a signal when its server is there; -> exit status."""
        process = self.home.start(*args)
        self.assertTrue(support.wait_for(lambda: "stand-in" in str(self.servers())))
        process.send_signal(number)
        return process.wait(support.SAFETY)

    def servers(self):
        return [line for line in self.home.processes().values() if "stand-in" in line]

    def test_a_deploy_is_undone(self):
        model = self.model(1, "deaf")
        status = self.end_by(signal.SIGTERM, "deploy", model, "--model-name", "digits")
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertTrue(support.wait_for(lambda: not self.home.processes(), 15), self.home.processes())

    def test_what_served_goes_on_serving(self):
        self.deploy(self.model(1))
        uuid = self.uuid()
        process = self.home.start("deploy", self.model(2, "deaf"), "--model-name", "digits")
        self.assertTrue(support.wait_for(lambda: len(self.servers()) > 2))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(support.SAFETY), 128 + signal.SIGTERM)
        answer = self.home.run("predict", uuid, "--data", ROWS).json
        self.assertEqual(answer["predictions"], [1, 1])


    def start(self, disposition, *args):
        """Starts the command with the signal's default or ignored action, whatever ours is."""
        number, action = disposition
        process = subprocess.Popen([self.home.ctcd, *args], env=self.home.env, cwd=self.home.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL,
                                   preexec_fn=lambda: signal.signal(number, action))
        self.home.started.append(process)
        return process

    def test_ctrl_c(self):
        process = self.start((signal.SIGINT, signal.SIG_DFL), "deploy", self.model(1, "deaf"),
                             "--model-name", "digits")
        self.assertTrue(support.wait_for(self.servers))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.SAFETY), 128 + signal.SIGINT)
        self.assertTrue(support.wait_for(lambda: not self.home.processes(), 15), self.home.processes())

    def test_what_was_ignored_stays_ignored(self):
        process = self.start((signal.SIGINT, signal.SIG_IGN), "deploy",
                             self.model(1, "ready-after 1000"), "--model-name", "digits")
        self.assertTrue(support.wait_for(self.servers))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.SAFETY), 0)

    def test_a_second_signal_does_not_wait_for_the_undoing(self):
        process = self.start((signal.SIGTERM, signal.SIG_DFL), "deploy",
                             self.model(1, "deaf", "ignore-term"), "--model-name", "digits")
        self.assertTrue(support.wait_for(self.servers))
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            support.wait_for(lambda: process.poll() is not None, 0.1)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        for uuid in self.home.run("served-models", "list", "-o", "name").out.split():
            self.home.run("served-models", "delete", "--force", uuid)
        self.assertTrue(support.wait_for(lambda: not self.home.processes(), 15), self.home.processes())


class Predict(StandInCase):
    def setUp(self):
        super().setUp()
        self.deploy(self.model(5))

    def test_where_the_request_comes_from(self):
        path = self.home.file("request.json", ROWS)
        for args, stdin in [(("--data", ROWS), None), (("--input", path), None), (("-i", "-"), ROWS),
                            ((), ROWS)]:
            with self.subTest(args=args):
                said = self.home.run("predict", "--model-name", "digits", *args, stdin=stdin)
                self.assertEqual(said.json, {"predictions": [5, 5]})
                self.assertTrue(said.out.endswith("}\n"))

    def test_refused(self):
        uuid = self.uuid()
        self.home.run("predict", "--data", ROWS, status=2)
        self.home.run("predict", uuid, "--model-name", "digits", "--data", ROWS, status=2)
        self.home.run("predict", uuid, "--data", ROWS, "--input", "x", status=2)
        self.home.run("predict", uuid, "--data", "{no JSON", status=2)
        self.home.run("predict", uuid, stdin="", status=2)
        self.home.run("predict", uuid, "--input", "/nonexistent/file", status=3)
        self.home.run("predict", "--model-name", "other", "--data", ROWS, status=3)
        said = self.home.run("predict", uuid, stdin="\0\0", status=2)
        self.assertIn("standard input", said.err)

    def test_the_request_is_missing_on_a_terminal(self):
        said = on_terminal(self.home, "predict", self.uuid())
        self.assertEqual(said.status, 2)
        self.assertIn("--data", said.out)


class Look(StandInCase):
    home_in_a_blank = True

    def setUp(self):
        super().setUp()
        self.deploy(self.model(1), "--pipeline", PIPELINE, "--step", STEP)
        self.id = self.uuid()

    def test_piped(self):
        self.assertEqual(
            self.home.run("served-models", "list").out,
            "STATUS  UUID                                  PIPELINE_NAME                   "
            "PIPELINE_STEP_NAME          MODEL_NAME\n"
            "active  %s  %s  %s  digits\n" % (self.id, PIPELINE, STEP))
        lines = self.home.run("served-models", "describe", self.id).out.splitlines()
        self.assertEqual(lines, sorted(lines))
        properties = dict(line.split(None, 1) for line in lines)
        self.assertEqual((properties["MODEL_NAME"], properties["STATUS"], properties["UUID"]),
                         ("digits", "active", self.id))
        url = self.home.run("served-models", "get-url", self.id).out
        self.assertRegex(url, r"\Ahttp://127\.0\.0\.1:\d+/\S+\n\Z")
        self.assertEqual(properties["PREDICTION_URL"], url.strip())

    def test_on_a_terminal(self):
        rows = [["STATUS", "UUID", "PIPELINE_NAME", "PIPELINE_STEP_NAME", "MODEL_NAME"],
                ["✅", self.id, PIPELINE, STEP, "digits"]]
        self.assertEqual(on_terminal(self.home, "served-models", "list").out, box(rows, centred=True))
        said = on_terminal(self.home, "served-models", "describe", self.id, columns=300).out
        rows = [["MODEL SERVICE PROPERTY", "VALUE"]]
        rows += [[cell.strip() for cell in line.strip("┃").split("│")]
                 for line in said.splitlines() if line.startswith("┃")][1:]
        self.assertEqual(said, box(rows, title="Properties of Served Model " + self.id))
        self.assertIn(["STATUS", "✅"], rows)
        url = self.home.run("served-models", "get-url", self.id).out
        self.assertEqual(on_terminal(self.home, "served-models", "get-url", self.id, columns=40).out,
                         "  Prediction URL of Served Model %s is:\n  %s" % (self.id, url))
        self.home.run("served-models", "stop", self.id)
        self.assertIn("┃   ⏸    │ " + self.id, on_terminal(self.home, "served-models", "list").out)

    def test_on_a_narrow_terminal(self):
        """What names the service stays whole; nothing else makes a line too long."""
        said = on_terminal(self.home, "served-models", "list", columns=90).out
        for line in said.splitlines():
            self.assertLessEqual(len(line), 90)
        self.assertIn(self.id, said)
        self.assertIn("…", said)
        said = on_terminal(self.home, "served-models", "describe", self.id, columns=80).out
        for line in said.splitlines():
            self.assertLessEqual(len(line), 80)

    def test_prefix_and_unknown(self):
        self.assertEqual(self.home.json("served-models", "describe", self.id[:8])["uuid"], self.id)
        unknown = "00000000-0000-4000-8000-000000000000"
        self.assertIn("by 4 digits or more", self.home.run("served-models", "describe", self.id[:3], status=3).err)
        for verb in ("describe", "get-url", "start", "stop", "delete", "logs"):
            said = self.home.run("served-models", verb, unknown, status=3)
            self.assertIn(unknown, said.err)

    def test_logs(self):
        self.deploy(self.model(1, "chatty 30"), name="chatty")
        chatty = [s["uuid"] for s in self.services() if s["model_name"] == "chatty"][0]
        everything = self.home.run("served-models", "logs", chatty).out.splitlines()
        self.assertGreaterEqual(len(everything), 30)
        self.assertEqual(self.home.run("served-models", "logs", chatty, "--lines", "5").out.splitlines(),
                         everything[-5:])

    def test_a_killed_server(self):
        server = [pid for pid, line in self.home.processes().items() if "ctcd-shim" not in line.split()[0]]
        for pid in server:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: self.services()[0]["state"] == "error"))
        self.assertIn("┃   ❗   │ " + self.id, on_terminal(self.home, "served-models", "list").out)
        said = self.home.run("served-models", "describe", self.id)
        self.assertIn("LAST_ERROR", said.out)
        self.home.run("served-models", "start", self.id)
        self.assertEqual(self.services()[0]["state"], "active")

    def test_a_silent_server(self):
        self.deploy(self.model(1), name="quiet")
        quiet = [s["uuid"] for s in self.services() if s["model_name"] == "quiet"][0]
        uri = self.home.json("served-models", "describe", quiet)["model_uri"]
        self.home.file(os.path.join(uri.replace("file://", ""), "behaviour"), "silent\n")
        said = self.home.run("served-models", "list", "--timeout", "4s", status=7)
        self.assertIn("unknown  " + quiet, said.out)
        self.assertIn("active   " + self.id, said.out)
        self.assertIn("ml", said.err)


class Empty(StandInCase):
    def test_nothing_is_served(self):
        self.assertEqual(on_terminal(self.home, "served-models", "list").out, "No served models found.\n")
        self.assertEqual(self.home.run("served-models", "list").out,
                         "STATUS  UUID  PIPELINE_NAME  PIPELINE_STEP_NAME  MODEL_NAME\n")
        self.assertEqual(self.home.run("served-models", "list", "-o", "name").out, "")


if __name__ == "__main__":
    unittest.main()
