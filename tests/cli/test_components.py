"""Components and stacks: the seed's lines, every form of output, what is refused."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import support
from terminal import box, on_terminal


class Seed(support.HomeCase):
    """The lines of the document that started the project, `zenml` replaced by `ctcd`."""

    def test_lines(self):
        self.home.run("model-deployer", "register", "ml", "--type=mlflow")
        self.home.run("artifact-store", "register", "aws", "--type=local")
        self.home.run("stack", "register", "seldon_stack", "-m", "default", "-a", "aws", "-o", "default",
                      "-d", "ml")
        stacks = {stack["name"]: stack for stack in self.home.json("stack", "list")}
        self.assertEqual(sorted(stacks), ["default", "seldon_stack"])
        self.assertEqual([name for name, stack in stacks.items() if stack["active"]], ["default"])

    def test_a_flavor_that_is_not_known(self):
        said = self.home.run("model-deployer", "register", "seldon", "--type=seldon",
                             "--kubernetes_context=zenml-eks", "--kubernetes_namespace=zenml-workloads",
                             "--base_url=http://abb84c.elb.amazonaws.com", status=2)
        self.assertIn("seldon", said.err)
        self.assertIn("mlflow", said.err)


class Register(support.HomeCase):
    def test_twice(self):
        self.home.run("model-deployer", "register", "ml", "--flavor=mlflow")
        said = self.home.run("model-deployer", "register", "ml", "--flavor=mlflow", status=6)
        self.assertIn("`ctcd model-deployer update` changes it", said.err)
        self.assertIn("ml", said.err)
        self.home.run("artifact-store", "register", "ml", "--flavor=local")  # of another type: its own

    def test_password_in_an_address(self):
        """It would be stored and shown; that it is refused does not show it either."""
        for uri in ("http://me:hunter2@127.0.0.1:5000", "https://:hunter2@h", "http://me:hun@ter2@h/x"):
            said = self.home.run("model-deployer", "register", "ml", "-f", "mlflow", "--tracking-uri", uri, status=2)
            self.assertIn("tracking_uri", said.err)
            self.assertIn("env:NAME", said.err)
            self.assertNotIn("ter2", said.out + said.err)
        for uri in ("http://127.0.0.1:5000/a:b@c", "http://[::1]:5000", "http://me@h"):
            self.home.run("model-deployer", "register", "ml", "-f", "mlflow", "--tracking-uri", uri)
            self.home.run("model-deployer", "delete", "ml")

    def test_relative_files(self):
        """They mean the folder where they were given: a daemon runs in another one."""
        self.home.run("model-deployer", "register", "ml", "-f", "mlflow", "--python=venv/bin/python",
                      "--tracking-token=file:token")
        here = os.path.realpath(self.home.folder)
        self.assertEqual(self.home.json("model-deployer", "describe", "ml")["options"],
                         {"python": here + "/venv/bin/python", "tracking_token": "file:%s/token" % here})
        made = self.home.json("model-deployer", "update", "ml", "--python=python3", "--tracking-token=env:TOKEN")
        self.assertEqual(made["options"], {"python": "python3", "tracking_token": "env:TOKEN"})

    def test_flavor_is_missing(self):
        said = self.home.run("model-deployer", "register", "ml", status=2)
        self.assertIn("mlflow", said.err)
        self.assertIn("--flavor", said.err)

    def test_near_misses(self):
        for typo, wanted in [("--tpye=mlflow", "--type"), ("--flavour=mlflow", "--flavor")]:
            said = self.home.run("model-deployer", "register", "ml", typo, status=2)
            self.assertIn("did you mean %s?" % wanted, said.err)
        said = self.home.run("model-deployer", "register", "ml", "--flavor=mlflow", "--pyhton=x", status=2)
        self.assertIn("--pyhton", said.err)
        self.assertIn("did you mean --python?", said.err)
        self.assertEqual(self.home.json("model-deployer", "list"), [])

    def test_output(self):
        made = self.home.json("model-deployer", "register", "ml", "-f", "mlflow", "--python", "/usr/bin/python3")
        self.assertEqual((made["name"], made["flavor"]), ("ml", "mlflow"))
        self.assertEqual(self.home.run("artifact-store", "register", "aws", "--type", "local", "-o",
                                       "name").out, "aws\n")
        self.assertEqual(self.home.run("orchestrator", "register", "here", "--flavor", "local").out,
                         "Registered the orchestrator here (local).\n")

    def test_delete(self):
        self.home.run("model-deployer", "register", "ml", "--type=mlflow")
        self.home.run("stack", "register", "s", "-m", "default", "-a", "default", "-o", "default", "-d", "ml")
        said = self.home.run("model-deployer", "delete", "ml", status=6)
        self.assertIn("s", said.err)
        self.home.run("artifact-store", "register", "aws", "--type=local")
        self.assertEqual(self.home.run("artifact-store", "delete", "aws").out, "")
        self.home.run("artifact-store", "delete", "aws", status=3)


    def test_update(self):
        self.home.run("model-deployer", "register", "ml", "--type=mlflow", "--python=/usr/bin/python3")
        made = self.home.json("model-deployer", "update", "ml", "--python=/bin/python3")
        self.assertEqual(made["options"], {"python": "/bin/python3"})
        self.home.run("model-deployer", "update", "ml", "--unset", "python")
        self.assertEqual(self.home.json("model-deployer", "describe", "ml")["options"], {})
        self.home.run("model-deployer", "update", "ml", status=2)
        self.assertIn("--python?", self.home.run("model-deployer", "update", "ml", "--pyton=x", status=2).err)
        self.home.run("model-deployer", "update", "ml", "--unset", "pyton", status=2)
        self.home.run("model-deployer", "update", "nosuch", "--python=x", status=3)


class Stacks(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "ml", "--type=mlflow")

    def register(self, *args, **how):
        return self.home.run("stack", "register", "serving", "-m", "default", "-a", "default", "-o",
                             "default", *args, **how)

    def test_register_does_not_activate(self):
        self.register("-d", "ml")
        self.assertEqual(self.home.json("stack", "describe")["name"], "default")
        self.home.run("stack", "set", "serving")
        self.assertEqual(self.home.json("stack", "describe")["name"], "serving")

    def test_register_and_set(self):
        self.register("-d", "ml", "--set")
        self.assertEqual(self.home.json("stack", "describe")["name"], "serving")
        self.assertEqual(self.home.json("model-deployer", "describe")["name"], "ml")

    def test_refused(self):
        self.register("-d", "nosuch", status=3)
        self.home.run("stack", "register", "half", "-m", "default", status=2)
        self.home.run("stack", "register", "default", "-m", "default", "-a", "default", "-o", "default",
                      status=6)
        self.home.run("stack", "set", "nosuch", status=3)
        self.home.run("stack", "describe", "nosuch", status=3)

    def test_update_and_delete(self):
        self.register()
        self.home.run("stack", "update", "serving", "-d", "ml")
        self.assertEqual(self.home.json("stack", "describe", "serving")["model-deployer"], "ml")
        self.home.run("stack", "update", "serving", status=2)
        self.home.run("stack", "update", "serving", "-d", "nosuch", status=3)
        self.home.run("stack", "delete", "default", status=6)
        self.assertEqual(self.home.run("stack", "delete", "serving").out, "")
        self.home.run("stack", "delete", "serving", status=3)

    def test_to_another_home(self):
        self.home.run("model-deployer", "update", "ml", "--tracking_uri=http://localhost:5000",
                      "--tracking_token=env:TOKEN")
        self.register("-d", "ml")
        path = os.path.join(self.home.folder, "serving.yaml")
        self.home.run("stack", "export", "serving", "--file", path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(self.home.run("stack", "export", "serving").out, text)
        other = support.Home()
        self.addCleanup(other.close)
        self.assertIn("ctcd stack set serving", other.run("stack", "import", path).out)
        self.assertEqual(other.run("stack", "export", "serving").out, text)
        said = other.run("stack", "import", path, status=6)
        self.assertIn("serving", said.err)
        self.assertEqual(other.run("stack", "import", "-", "--name", "again", stdin=text).status, 0)
        said = other.run("stack", "import", "-", stdin="stack: s\ncomponents: {x: 1}\n", status=2)
        self.assertIn("-:2:14", said.err)

    def test_no_model_deployer(self):
        said = self.home.run("model-deployer", "describe", status=3)
        self.assertIn("the active stack has no model deployer", said.err)


class Tables(support.HomeCase):
    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "ml", "--type=mlflow")
        self.home.run("stack", "register", "serving", "-m", "default", "-a", "default", "-o", "default",
                      "-d", "ml", "--set")

    def test_piped(self):
        self.assertEqual(
            self.home.run("stack", "list").out,
            "ACTIVE  NAME     ORCHESTRATOR  ARTIFACT_STORE  METADATA_STORE  MODEL_DEPLOYER\n"
            "no      default  default       default         default         -\n"
            "yes     serving  default       default         default         ml\n")
        self.assertEqual(self.home.run("stack", "describe", "default").out,
                         "COMPONENT_TYPE  COMPONENT_NAME\n"
                         "ARTIFACT_STORE  default\n"
                         "METADATA_STORE  default\n"
                         "MODEL_DEPLOYER  -\n"
                         "ORCHESTRATOR    default\n")
        uuid = self.home.json("model-deployer", "describe", "ml")["uuid"]
        self.assertEqual(self.home.run("model-deployer", "list").out,
                         "ACTIVE  NAME  FLAVOR  UUID\n"
                         "yes     ml    mlflow  %s\n" % uuid)

    def test_on_a_terminal(self):
        rows = [["ACTIVE", "NAME", "ORCHESTRATOR", "ARTIFACT_STORE", "METADATA_STORE", "MODEL_DEPLOYER"],
                ["", "default", "default", "default", "default", ""],
                ["👉", "serving", "default", "default", "default", "ml"]]
        self.assertEqual(on_terminal(self.home, "stack", "list").out, box(rows, centred=True))
        rows = [["COMPONENT_TYPE", "COMPONENT_NAME"], ["ARTIFACT_STORE", "default"],
                ["METADATA_STORE", "default"], ["MODEL_DEPLOYER", "ml"], ["ORCHESTRATOR", "default"]]
        self.assertEqual(on_terminal(self.home, "stack", "describe").out,
                         box(rows, title="'serving' stack (ACTIVE)"))

    def test_a_dumb_terminal_gets_plain_columns(self):
        self.assertEqual(on_terminal(self.home, "stack", "list", env={"TERM": "dumb"}).out,
                         self.home.run("stack", "list").out)

    def test_other_forms(self):
        self.assertEqual(self.home.run("stack", "list", "-o", "name").out, "default\nserving\n")
        self.assertIn("name: serving", self.home.run("stack", "describe", "-o", "yaml").out)
        self.assertEqual(self.home.run("stack", "list", "-o", "table").out,
                         self.home.run("stack", "list").out)


if __name__ == "__main__":
    unittest.main()
