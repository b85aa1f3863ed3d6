"""kill -9 of `ctcd` ten times while it works at a real MLflow server: deploy, replace, stop, delete, and a run that
deploys, at instants spread over each (before a durable edge, or when a state is seen). Then the next command, the
doctor or a daemon brings it in order: one revision serves under the same UUID, nothing else is left, and all that
had been recorded still is."""

import os
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import support
from edges import EdgeSweeps
from rig import MlflowCase, Models

QUICK = ("--min-ready", "0")

models = None


def setUpModule():
    global models
    models = Models()


def tearDownModule():
    models.remove()


class Kills(EdgeSweeps, MlflowCase):
    def setUp(self):
        super().setUp()
        self.kills = 0
        self.begun = time.monotonic()

    def ask(self, sql):
        store = sqlite3.connect(os.path.join(self.home.path, "ctcd.db"), timeout=60)
        try:
            return store.execute(sql).fetchall()
        finally:
            store.close()

    # ---- killing ------------------------------------------------------------------------------
    def killed(self, k, *args):
        """Before that edge."""
        end = self.kill_at(k, *args)
        self.assertTrue(end.killed, end)
        self.after(args, end.edge)

    def killed_when(self, seen, words, *args):
        """As soon as that is seen."""
        process = self.home.start(*args)
        self.assertTrue(support.wait_for(lambda: seen() or process.poll() is not None))
        self.assertIsNone(process.poll(), "it came to its end: %s" % (args,))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.after(args, words)

    def after(self, args, where):
        self.kills += 1
        print("\nmeasured: kill %d: %s, %s" % (self.kills, args[0] if args[0] != "served-models" else args[1], where))
        self.recorded = self.ask("SELECT id, kind FROM events ORDER BY id")
        for service in self.services():  # what is listed is so, before anybody mends anything
            answer = self.answer(service)
            self.assertEqual(service["state"] == "active", answer is not None, service)
            if answer:
                self.assert_predicts(answer, self.expected(service))
            if self.ask("SELECT 1 FROM operations WHERE open = 1 AND service = '%s'" % service["uuid"]):
                self.assertIn("interrupted", service["status_message"])
                self.assertTrue(service["next"])

    def processes_with(self, *words):
        return [pid for pid, line in self.home.processes().items() if all(word in line for word in words)]

    # ---- what must hold -----------------------------------------------------------------------
    def expected(self, service):
        return models.expected[os.path.basename(service["model_uri"])]

    def answer(self, service):
        if not service["prediction_url"]:
            return None
        try:
            status, answer = support.post(service["prediction_url"], models.request)
        except OSError:
            return None
        return answer if status == 200 else None

    def settled(self, state, model=None, uuid=None):
        self.assertEqual(self.ask("SELECT * FROM operations WHERE open = 1"), [])
        self.assertEqual(self.ask("SELECT id, kind FROM events ORDER BY id")[:len(self.recorded)], self.recorded)
        services = self.services()
        wanted = 2 if state == "active" else 0
        self.assertTrue(support.wait_for(lambda: len(self.home.processes()) == wanted, 30), self.home.processes())
        live = self.ask("SELECT number FROM revisions WHERE state NOT IN ('stopped', 'failed')")
        if state is None:
            self.assertEqual((services, live, self.home.ports()), ([], [], set()))
            return None
        service = self.service()
        self.assertEqual((service["state"], service["next"], service["last_error"]), (state, "", ""))
        self.assertEqual(live, [(service["revision"],)] if wanted else [])
        self.assertEqual(len(self.home.ports()), 1 if wanted else 0)
        self.assertEqual(service["uuid"], uuid or service["uuid"])
        if model:
            self.assertEqual(os.path.basename(service["model_uri"]), model)
        if wanted:
            self.assert_predicts(self.answer(service), self.expected(service))
        return service

    def deploying(self, model):
        return ("deploy", models[model], "--model-name", "house", *QUICK)

    # ---- the ten ------------------------------------------------------------------------------
    def test_ten_times(self):
        self.killed_when(lambda: self.processes_with("ctcd-shim"), "its server begins", *self.deploying("good_1"))
        self.doctor()
        uuid = self.settled("active", "good_1")["uuid"]

        self.killed(6, *self.deploying("good_2"))  # before it had begun
        self.killed("process:1", *self.deploying("good_2"))  # its server was just started
        self.home.run("served-models", "start", uuid)
        self.settled("active", "good_1", uuid)
        self.killed_when(lambda: len(self.processes_with("ctcd-shim")) == 2, "two servers run",
                         *self.deploying("good_2"))
        self.deploy(models["good_2"], *QUICK)
        self.settled("active", "good_2", uuid)
        self.killed("signal:1", *self.deploying("good_1"))  # it has switched; the old one is about to be stopped
        self.doctor()
        self.settled("active", "good_1", uuid)

        self.killed("signal:1", "served-models", "stop", uuid)
        self.home.run("served-models", "start", uuid)
        self.settled("active", "good_1", uuid)
        self.killed("word:1", "served-models", "stop", uuid)  # all is done, and nobody was told
        self.settled("inactive", "good_1", uuid)

        # A run that deploys: it is taken up by a daemon.
        self.killed("process:2", "pipeline", "run", self.home.file("run.yaml", RUN % models["good_2"]))
        self.assertEqual(self.home.json("run", "list")[0]["status"], "interrupted")
        self.home.run("daemon", "--until-idle")
        self.assertEqual(self.home.json("run", "list")[0]["status"], "completed")
        with open(os.path.join(self.home.folder, "notes"), encoding="utf-8") as notes:
            self.assertEqual(notes.read().split(), ["1"])  # its attempts
        other = [service for service in self.services() if service["uuid"] != uuid]
        self.assertEqual([service["state"] for service in other], ["active"])
        self.assert_predicts(self.answer(other[0]), models.expected["good_2"])
        self.home.run("served-models", "delete", uuid)
        uuid = other[0]["uuid"]
        self.settled("active", "good_2", uuid)

        self.killed("signal:1", "served-models", "delete", uuid)
        self.doctor()
        self.settled(None)
        self.deploy(models["good_1"], *QUICK)
        self.killed("name:8", "served-models", "delete", self.service()["uuid"])
        for service in self.services():
            self.home.run("served-models", "delete", service["uuid"])
        self.settled(None)

        self.assertEqual(self.kills, 10)
        print("\nmeasured: ten kills on real MLflow, all mended, in %.1f s" % (time.monotonic() - self.begun))

    def doctor(self):
        said = self.home.call("doctor", "--fix")
        self.assertIn("(mended)", said.out, said)


RUN = """\
pipeline: mended
steps:
  train:
    command: [sh, -c, 'echo "$CTCD_ATTEMPT" >>notes']
  deploy:
    after: [train]
    deploy: {model_name: house, model_uri: %s, min_ready: 0s}
"""

if __name__ == "__main__":
    support.unittest.main()
