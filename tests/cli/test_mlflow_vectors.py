"""Test vectors of the research on ZenML that concern MLflow servers: 11, the table of `served-models describe`; 14,
what is left when somebody is killed. Vector 8, ports, is in test_mlflow_options.py."""

import os
import signal
import subprocess

import support
from stand_in import STAND_IN, StandInCase
from terminal import on_terminal


class Vector11(StandInCase):
    def test_the_rows_of_a_described_mlflow_server(self):
        path = self.home.file("p.yaml", """\
pipeline: continuous_deployment_pipeline
steps:
  mlflow_model_deployer_step:
    deploy: {model_name: mnist, model_uri: %s, min_ready: 0}
""" % self.model())
        self.home.run("pipeline", "run", path)
        uuid = self.uuid()
        service = self.services()[0]
        said = on_terminal(self.home, "served-models", "describe", uuid, columns=300).out.splitlines()
        self.assertEqual(said[0].strip(), "Properties of Served Model " + uuid)
        rows = [[cell.strip() for cell in line.strip("┃").split("│")] for line in said if line[0] == "┃"]
        self.assertEqual(rows[0], ["MODEL SERVICE PROPERTY", "VALUE"])
        names = [row[0] for row in rows[1:]]
        self.assertEqual(names, sorted(names))
        found = dict(rows[1:])
        server = [pid for pid, line in self.home.processes().items() if line.startswith(STAND_IN)]
        run = self.home.json("run", "list")[0]["name"]
        for name, value in {
                "DAEMON_PID": str(server[0]), "MODEL_NAME": "mnist", "MODEL_URI": service["model_uri"],
                "PIPELINE_NAME": "continuous_deployment_pipeline", "PIPELINE_RUN_ID": run,
                "PIPELINE_STEP_NAME": "mlflow_model_deployer_step",
                "PREDICTION_URL": service["prediction_url"],
                "SERVICE_PATH": os.path.join(self.home.path, "services", uuid, "r1"), "STATUS": "✅",
                "STATUS_MESSAGE": "its server answers", "UUID": uuid}.items():
            self.assertEqual(found.get(name), value, name)
        self.assertRegex(run, r"\Acontinuous_deployment_pipeline-\d\d_[A-Z][a-z]{2}_\d\d-\d\d_\d\d_\d\d_\d{6}\Z")
        # The frame: heavy outside, light inside, a line between any two rows.
        self.assertEqual([line[0] + line[-1] for line in said[1:]],
                         ["┏┓", "┃┃"] + ["┠┨", "┃┃"] * len(names) + ["┗┛"])


class Vector14(StandInCase):
    def servers(self):
        return [pid for pid, line in self.home.processes().items() if line.startswith(STAND_IN)]

    def shims(self):
        return [pid for pid, line in self.home.processes().items() if "ctcd-shim" in line.split(" ")[0]]

    def test_no_child_holds_the_port_when_its_parent_was_killed(self):
        """Neither of who deploys, nor, once somebody looks after it, of who watches the server."""
        deploying = self.home.start("deploy", self.model(1, "ready-after 60000"), "--model-name", "digits")
        self.assertTrue(support.wait_for(lambda: self.servers()))
        deploying.kill()
        deploying.wait()
        self.home.run("served-models", "delete", self.uuid())
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))

        self.deploy(self.model(2, "fork-child"))
        url, uuid = self.services()[0]["prediction_url"], self.uuid()
        os.kill(self.shims()[0], signal.SIGKILL)
        self.assertEqual(self.services()[0]["state"], "error")
        self.assertIn("monitor lost", self.services()[0]["last_error"])
        self.home.run("served-models", "stop", uuid)
        self.assertEqual((self.home.processes(), self.home.ports()), ({}, set()))
        self.assertTrue(support.refuses(url))

    def test_a_pid_that_somebody_else_has_now(self):
        """A record names a pid for people to read; what is believed is the lock. So a process that has the
        number of a dead server, or says it is one, is neither taken for it nor killed."""
        self.deploy(self.model())
        uuid = self.uuid()
        folder = os.path.join(self.home.path, "services", uuid, "r1")
        for pid in self.shims() + self.servers():
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: not self.home.processes()))
        with open(os.path.join(folder, "alive"), encoding="utf-8") as f:
            self.assertTrue(f.read())  # the stale record is there
        other = subprocess.Popen(["sleep", "600"], env=self.home.env, cwd=folder)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        self.assertEqual(self.services()[0]["state"], "error")
        self.home.run("served-models", "start", uuid)
        self.assertEqual(self.services()[0]["state"], "active")
        self.home.run("served-models", "delete", uuid)
        self.assertIsNone(other.poll())
        self.assertEqual(list(self.home.processes()), [other.pid])
