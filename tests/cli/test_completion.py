"""completion: the scripts, each in the shell that it is for."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

PIPELINE = "pipeline: p\nsteps:\n  s:\n    command: ['true']\nschedule: {interval: 1h, start: 2026-01-01T00:00:00Z}\n"

# Each asks for what could stand in the place of the last word; the words come as arguments, $1 is the script.
BASH = """
source "$1"; shift
COMP_WORDS=(ctcd "$@") COMP_CWORD=$#
[[ $(complete -p ctcd) == 'complete -F _ctcd ctcd' ]] || exit 9
_ctcd
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
functions[compdef]='registered=$*'
source $1; shift
[[ $registered == '_ctcd ctcd' ]] || exit 9
functions[_describe]='local -a all; all=("${(@P)2}"); print -l -- "${(@)all%%:*}"'
functions[compadd]='[[ $1 == -- ]] && shift; print -l -- "$@"'
functions[_files]='print -l -- files $*'
functions[compset]=':'
words=(ctcd "$@") CURRENT=$(($# + 1))
_ctcd || true  # nothing fits
"""
FISH = "source $argv[1]; complete -C (string join ' ' -- ctcd (string escape -- $argv[2..-2]) $argv[-1])"


class Shells(StandInCase):
    """What all three are asked."""

    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.home.folder, "bin")
        os.mkdir(self.bin)
        os.symlink(self.home.ctcd, os.path.join(self.bin, "ctcd"))
        self.env = dict(self.home.env, PATH=self.bin + ":" + self.home.env["PATH"])
        self.scripts = {shell: self.home.file(shell, self.home.run("completion", shell).out)
                        for shell in ("bash", "zsh", "fish")}

    def shell(self, argv):
        done = subprocess.run(argv, env=self.env, cwd=self.home.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              timeout=support.SAFETY)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def bash(self, *words):
        return self.shell(["bash", "--norc", "-c", BASH, "bash", self.scripts["bash"], *words]).split()

    def zsh(self, *words):
        found = self.shell(["zsh", "-f", "-c", ZSH, "zsh", self.scripts["zsh"], *words]).split()
        return [word for word in found if word.startswith(words[-1].rpartition("=")[2])]

    def fish(self, *words):
        lines = self.shell(["fish", "--no-config", "-c", FISH, self.scripts["fish"], *words]).splitlines()
        return [line.split("\t")[0] for line in lines]

    def all(self, *words):
        """What the three agree on."""
        answers = [sorted(ask(*words)) for ask in (self.bash, self.zsh, self.fish)]
        self.assertEqual(answers[0], answers[1], "bash and zsh: %s" % (words,))
        self.assertEqual(answers[0], answers[2], "bash and fish: %s" % (words,))
        return answers[0]


class Completion(Shells):
    def test_syntax(self):
        self.shell(["bash", "-n", self.scripts["bash"]])
        self.shell(["zsh", "-n", self.scripts["zsh"]])
        self.shell(["fish", "--no-execute", self.scripts["fish"]])

    def test_words(self):
        self.assertEqual(self.all("ser"), ["served-models"])
        self.assertEqual(self.all("stack", ""), ["delete", "describe", "export", "import", "list", "register",
                                                  "set", "update"])
        self.assertEqual(self.all("--home", self.home.path, "stack", "d"), ["delete", "describe"])
        self.assertEqual(self.all("model_deployer", "models", "get"), ["get-url"])
        self.assertEqual(self.all("help", "stack", "re"), ["register"])
        self.assertEqual(self.all("completion", ""), ["bash", "fish", "zsh"])
        self.assertEqual(self.all("version", ""), [])
        first = self.all("")
        listed = self.home.run("help").out.partition("service.\n")[2]
        self.assertEqual(first, sorted(re.findall(r"(?m)^  ([a-z][a-z-]+) ", listed)))

    def test_options(self):
        self.assertEqual(self.all("run", "list", "--li"), ["--limit"])
        self.assertEqual(self.all("run", "list", "--output", "j"), ["json"])
        self.assertEqual(self.all("run", "list", "-o", "y"), ["yaml"])
        self.assertEqual(self.all("deploy", "m", "--on-failure", ""), ["leave", "rollback"])
        for ask in (self.bash, self.zsh):  # fish itself knows options by the one spelling only
            self.assertEqual(ask("deploy", "m", "--on_failure", "l"), ["leave"])
        self.assertEqual(self.all("model-deployer", "register", "x", "--flavor", ""), ["mlflow"])
        self.assertEqual(self.all("model-deployer", "register", "x", "--py"), ["--python"])
        self.assertEqual(self.all("stack", "register", "s", "-o", ""), ["default"], "an orchestrator")
        self.assertEqual(self.bash("run", "list", "--output", "=", "j"), ["json"])
        self.assertEqual(self.bash("run", "list", "--output", "="), ["table", "json", "yaml", "name"])
        self.assertEqual(self.zsh("run", "list", "--output=j"), ["json"])

    def test_all_options_of_the_help(self):
        for command in ("deploy", "schedule next", "served-models delete", "events", "pipeline run"):
            text = self.home.run("help", *command.split()).out
            shown = set(re.findall(r"(?m)^  .., (--[a-z-]+)|^      (--[a-z-]+)", text.partition("Options of the")[0]))
            shown = sorted(a or b for a, b in shown)
            self.assertGreater(len(shown), 3)
            self.assertEqual(self.all(*command.split(), "--"), shown)

    def test_names_are_asked(self):
        path = self.home.file("p.yaml", PIPELINE)
        run = self.home.json("pipeline", "run", path)
        self.home.run("schedule", "create", path, "--name", "hourly")
        self.deploy(self.model())
        self.assertEqual(self.all("stack", "set", ""), ["default", "serving"])
        self.assertEqual(self.all("deploy", "m", "--deployer", ""), ["ml"])
        self.assertEqual(self.all("run", "describe", ""), [run["name"]])
        self.assertEqual(self.all("events", "--run", "p-"), [run["name"]])
        self.assertEqual(self.all("schedule", "delete", "h"), ["hourly"])
        self.assertEqual(self.all("run", "list", "--pipeline", ""), ["p"])
        self.assertEqual(self.all("served-models", "stop", ""), [self.uuid()])
        self.assertEqual(self.all("served-models", "stop", self.uuid(), ""), [])
        self.assertEqual(self.all("stack", "register", ""), [], "a new name")
        self.env["CTCD_HOME"] = os.path.join(self.home.folder, "other")
        self.assertEqual(self.bash("run", "describe", ""), [])
        self.assertEqual(self.bash("--home", self.home.path, "run", "describe", ""), [run["name"]])
        self.assertEqual(self.zsh("--home=" + self.home.path, "run", "describe", ""), [run["name"]])

    def test_files(self):
        self.home.file("some.yaml", PIPELINE)
        self.assertEqual(self.bash("pipeline", "run", "so"), ["some.yaml"])
        self.assertEqual(self.fish("pipeline", "run", "so"), ["some.yaml"])
        self.assertEqual(self.zsh("pipeline", "run", "f"), ["files"])
        self.assertEqual(self.bash("--home", "b"), ["bin"], "a folder, and no file")

    def test_a_name_is_not_carried_out(self):
        mark = os.path.join(self.home.folder, "done")
        os.unlink(os.path.join(self.bin, "ctcd"))
        program = self.home.file("bin/ctcd", "#!/bin/sh\necho 'x$(touch %s)'\necho 'a b'\n" % mark)
        os.chmod(program, 0o755)
        self.assertEqual(self.shell(["bash", "--norc", "-c", BASH, "bash", self.scripts["bash"], "stack", "set", "a"]),
                         "a\\ b\n")
        self.bash("stack", "set", "x")
        self.assertFalse(os.path.exists(mark))

    def test_other_shells(self):
        self.assertIn("bash, zsh, fish", self.home.run("completion", "tcsh", status=2).err)
        self.home.run("completion", status=2)


if __name__ == "__main__":
    unittest.main()
