"""What is said to somebody who asks how, or who mistypes: help, near misses, exit codes."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

GROUPS = ["model-deployer", "artifact-store", "orchestrator", "metadata-store", "stack", "served-models",
          "pipeline", "run", "schedule"]


class Usage(support.HomeCase):
    def refused(self, *args, says, next=None, status=2):
        """The command line is refused in words, with the hint, before anything is made."""
        said = self.home.run(*args, status=status)
        self.assertEqual(said.out, "")
        self.assertIn(says, said.err.splitlines()[0])
        self.assertTrue(said.err.startswith("ctcd: "), said.err)
        if next is not None:
            self.assertIn("\n  next: ", said.err)
            self.assertIn(next, said.err.split("\n  next: ")[1])
        self.assertNotIn("CTCD_E_", said.err)
        self.assertFalse(os.path.exists(self.home.path), "a home was made")


class Help(Usage):
    def test_no_command_is_help(self):
        bare = self.home.run()
        self.assertEqual(bare.out, self.home.run("--help").out)
        self.assertEqual(bare.out, self.home.run("help").out)
        for group in GROUPS + ["deploy", "predict", "daemon", "decide", "version"]:
            self.assertRegex(bare.out, r"(?m)^  %s " % group)

    def test_each_command_explains_itself(self):
        for group in GROUPS:
            text = self.home.run("help", group).out
            self.assertEqual(text, self.home.run(group, "--help").out)
            verbs = re.findall(r"(?m)^  ([a-z-]+)(?: \S+)*  +\S", text)
            self.assertGreaterEqual(len(verbs), 3, text)
            for verb in verbs:
                with self.subTest(group=group, verb=verb):
                    text = self.home.run("help", group, verb).out
                    self.assertEqual(text, self.home.run(group, verb, "-h").out)
                    self.assertTrue(text.startswith("Usage: ctcd %s %s" % (group, verb)), text)
                    self.assertIn("--home=DIR", text)

    def test_help_wins_over_what_is_missing(self):
        self.assertIn("MODEL_URI", self.home.run("deploy", "--help").out)
        self.assertIn("-m, --metadata-store", self.home.run("stack", "register", "--help").out)

    def test_options_of_flavors_are_shown(self):
        text = self.home.run("help", "model-deployer", "register").out
        self.assertIn("Options of the flavor mlflow:", text)
        self.assertIn("--python=", text)
        self.assertIn("--option workers=", self.home.run("help", "deploy").out)

    def test_lines_fit_a_window(self):
        for args in [(), ("help", "deploy"), ("help", "served-models", "list"), ("help", "predict")]:
            for line in self.home.run(*args).out.splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_version(self):
        self.assertRegex(self.home.run("version").out, r"\Actcd \d+\.\d+\.\d+\n\Z")
        self.assertEqual(self.home.run("--version").out, self.home.run("version").out)
        self.home.run("run", "list", "--version", status=2)


class Typos(Usage):
    def test_commands(self):
        self.refused("stak", "list", says='"stak"', next="ctcd stack")
        self.refused("stack", "lst", says='"stack lst"', next="ctcd stack list")
        self.refused("served-model", "list", says='"served-model"', next="served-models")
        self.refused("depoly", "m", says='"depoly"', next="deploy")
        self.refused("frobnicate", says='"frobnicate"', next="ctcd help")
        self.refused("help", "scedule", says='"scedule"', next="schedule")

    def test_options(self):
        self.refused("served-models", "list", "--pipline=x", says="--pipline", next="--pipeline")
        self.refused("stack", "list", "--ouput", "json", says="--ouput", next="--output")
        self.refused("stack", "list", "--frobnicate", says="--frobnicate", next="--help")
        self.refused("--hme", "x", "stack", "list", says="--hme", next="--home")
        self.refused("stack", "list", "-z", says="-z")

    def test_values(self):
        self.refused("stack", "list", "--output", "xml", says="table|json|yaml|name")
        self.refused("stack", "list", "--output", says="--output needs a value")
        self.refused("stack", "list", "--verbose=yes", says="--verbose takes no value")
        self.refused("run", "logs", "x", "-o", "json", says="one kind of text")

    def test_arguments(self):
        self.refused("stack", says="A verb is missing", next="ctcd help stack")
        self.refused("stack", "set", says="NAME is missing", next="ctcd stack set NAME")
        self.refused("stack", "set", "a", "b", says='"b"')
        self.refused("stack", "set", "a", "b", "c", says='"c"')

    def test_an_argument_may_begin_with_a_hyphen_after_two(self):
        said = self.home.run("stack", "set", "--", "-x", status=3)
        self.assertIn("-x", said.err)


class Forms(Usage):
    """What is the same although it is typed in another way."""

    def setUp(self):
        super().setUp()
        self.home.run("stack", "set", "default")

    def test_options_and_words(self):
        wanted = self.home.json("stack", "list")
        for args in [("stack", "list", "-o", "json"), ("stack", "list", "-ojson"),
                     ("stack", "list", "-o=json"), ("--output", "json", "stack", "list"),
                     ("stack", "--output=json", "list"), ("stack", "list", "-vo", "json")]:
            with self.subTest(args=args):
                self.assertEqual(self.home.run(*args).json, wanted)

    def test_hyphens_and_underscores(self):
        self.home.run("served_models", "list", "--model_name", "x")
        self.home.run("stack", "register", "other", "--metadata_store=default", "--artifact-store",
                      "default", "--orchestrator", "default")

    def test_served_models_has_a_later_name(self):
        self.assertEqual(self.home.run("model-deployer", "models", "list", "-o", "json").json, [])
        said = self.home.run("model-deployer", "models", "describe", "0123abcd", status=3)
        self.assertIn("0123abcd", said.err)


class HomeFolder(Usage):
    def test_a_new_user_sees_the_default_stack(self):
        env = {"XDG_STATE_HOME": os.path.join(self.home.folder, "state")}
        del self.home.env["CTCD_HOME"]
        self.assertEqual(self.home.run("stack", "list", "-o", "name", env=env).out, "default\n")

    def test_looking_into_a_home_that_is_not_there(self):
        self.refused("stack", "list", "--home", self.home.path, says=self.home.path, status=3)
        self.refused("stack", "list", says=self.home.path, status=3)

    def test_writing_makes_it(self):
        self.home.run("model-deployer", "register", "ml", "--flavor=mlflow", "--home", self.home.path)
        self.assertEqual(self.home.run("model-deployer", "list", "-o", "name").out, "ml\n")



if __name__ == "__main__":
    unittest.main()
