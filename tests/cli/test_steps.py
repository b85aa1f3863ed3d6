"""Command steps, as `pipeline run` carries them out: what they leave, how they end, what is tried again, and
that nothing of them stays."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scheduling import SchedulingCase


class StepCase(SchedulingCase):
    def setUp(self):
        super().setUp()
        self.clock.tick()  # time-outs and pauses are by the monotonic clock

    def one(self, script, *keys, status=0):
        """Runs a pipeline of one step, train. -> the run, as JSON"""
        path = self.pipeline(self.step("train", script, *keys), schedule="")
        said = self.home.run("pipeline", "run", path, "--output", "json", status=status)
        self.said_err = said.err
        return said.json

    def fails(self, script, *keys):
        """-> why the step failed"""
        run = self.one(script, *keys, status=1)
        self.assertEqual((run["status"], run["steps"][0]["status"]), ("failed", "failed"))
        self.assertEqual(run["error"], "step train failed: " + run["steps"][0]["error"])
        self.assertEqual(self.query("SELECT count(*) FROM artifacts"), [(0,)])
        self.check_once()
        return run["steps"][0]["error"]

    def artifact(self, name):
        """(kind, value, sha256) of the newest one of that name."""
        return self.query("SELECT kind, value, sha256 FROM artifacts WHERE name = ? ORDER BY id DESC", name)[0]


class Outputs(StepCase):
    def writes(self, text, *keys):
        self.home.file("text", text)
        return self.fails('cp text "$CTCD_OUTPUTS"', *(keys or ("outputs: [x]",)))

    def test_values(self):
        self.home.file("text", '{"x": {"deep": [1, null, "ü", NaN]}, "y": 1.5, "z": null}')
        run = self.one('cp text "$CTCD_OUTPUTS"', "outputs: [x, y, z]")
        outputs = run["steps"][0]["outputs"]
        self.assertEqual((outputs["y"], outputs["z"], outputs["x"]["deep"][:3]), (1.5, None, [1, None, "ü"]))
        self.assertEqual(outputs["x"]["deep"][3], "NaN")  # strict JSON: every reader takes it
        self.check_once()

    def test_missing(self):
        self.assertIn('did not write its output "x"', self.fails("true", "outputs: [x]"))
        self.assertIn('did not write its output "y"', self.writes('{"x": 1}', "outputs: [x, y]"))
        self.assertIn('did not write its output "x"', self.fails('ln -s nowhere "$CTCD_OUTPUTS"', "outputs: [x]"))

    def test_not_an_object(self):
        self.assertIn("not a JSON object", self.writes("[1, 2]"))
        self.assertIn("not a JSON object", self.writes("7"))

    def test_not_json(self):
        for text in ("", "x: 1", '{"x": 1} more', '{"x": ', '{"x": 1,}', "\0"):
            with self.subTest(text):
                self.assertIn("outputs", self.writes(text))

    def test_said_twice(self):
        said = self.writes('{"x": 1, "x": 2}')
        self.assertIn("the step's outputs:1:", said)
        self.assertIn("duplicate", said)

    def test_not_utf8(self):
        self.assertIn("outputs", self.fails("printf '{\"x\": \"\\377\"}' >\"$CTCD_OUTPUTS\"", "outputs: [x]"))

    def test_too_large(self):
        script = '{ printf \'{"x": "\'; head -c %d /dev/zero | tr "\\0" a; printf \'"}\'; } >"$CTCD_OUTPUTS"'
        self.assertIn("large", self.fails(script % (1 << 20), "outputs: [x]"))
        run = self.one(script % 1000000, "outputs: [x]")
        self.assertEqual(len(run["steps"][0]["outputs"]["x"]), 1000000)

    def test_unknown_names(self):
        why = self.writes('{"acuracy": 1}', "outputs: [accuracy]")
        self.assertIn('an output "acuracy"', why)
        self.assertIn("accuracy", self.said_err.split("next:")[1])
        self.writes('{"x": 1, "y": 2}')
        self.assertIn("declare it", self.said_err.split("next:")[1])

    def test_no_file(self):
        for script in ('ln -s text "$CTCD_OUTPUTS"', 'mkdir "$CTCD_OUTPUTS"', 'mkfifo "$CTCD_OUTPUTS"'):
            with self.subTest(script):
                self.home.file("text", '{"x": 1}')
                self.assertNotEqual(self.fails(script, "outputs: [x]"), "")

    def test_of_a_step_that_fails(self):
        self.fails(self.OUTPUT + "\nexit 1", "outputs: [x]")


class Artifacts(StepCase):
    GIVES = 'printf \'{"x": "%%s"}\' "%s" >"$CTCD_OUTPUTS"\n'

    def gives(self, path, script=""):
        run = self.one(script + "\n" + self.GIVES % path, "outputs: [x]")
        self.check_once()
        return run["steps"][0]["outputs"]["x"]

    def test_a_file(self):
        path = self.gives("$CTCD_ARTIFACTS/model", 'printf abc >"$CTCD_ARTIFACTS/model"')
        self.assertEqual(self.artifact("x"), ("uri", path, "ba7816bf8f01cfea414140de5dae2223"
                                                           "b00361a396177a9cb410ff61f20015ad"))
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "abc")

    def test_a_folder_and_the_whole(self):
        self.gives("$CTCD_ARTIFACTS/model/", 'mkdir "$CTCD_ARTIFACTS/model"; echo 1 >"$CTCD_ARTIFACTS/model/a"')
        kind, _, first = self.artifact("x")
        self.assertEqual((kind, len(first)), ("uri", 64))
        self.gives("$CTCD_ARTIFACTS", 'echo 2 >"$CTCD_ARTIFACTS/a"')
        kind, _, second = self.artifact("x")
        self.assertEqual((kind, len(second)), ("uri", 64))
        self.assertNotEqual(first, second)

    def test_outside(self):
        """Just a text."""
        self.home.file("other", "abc")
        for path in (os.path.join(self.home.folder, "other"), "/", "/nowhere/at/all", "model",
                     "$CTCD_ARTIFACTS/..", "$CTCD_ARTIFACTS/../log", "$CTCD_ARTIFACTS/a/../../log", "$CTCD_OUTPUTS"):
            with self.subTest(path):
                self.gives(path, 'mkdir "$CTCD_ARTIFACTS/a"; echo said')
                kind, _, digest = self.artifact("x")
                self.assertEqual((kind, digest), ("value", ""))

    def test_links(self):
        """What they lead to counts, not where they lie."""
        self.home.file("other", "abc")
        make = 'echo in >"$CTCD_ARTIFACTS/in"; ln -s %s "$CTCD_ARTIFACTS/link"'
        self.gives("$CTCD_ARTIFACTS/link", make % os.path.join(self.home.folder, "other"))
        self.assertEqual(self.artifact("x")[0], "value")
        self.gives("$CTCD_ARTIFACTS/link", make % "in")
        self.assertEqual(self.artifact("x")[0], "uri")
        self.gives("$CTCD_ARTIFACTS/link/other", make % self.home.folder)
        self.assertEqual(self.artifact("x")[0], "value")

    def test_a_way_into_it_by_another_name(self):
        link = os.path.join(self.home.folder, "way")
        self.gives(link + "/model", 'ln -sfn "$CTCD_ARTIFACTS" %s; echo abc >%s/model' % (link, link))
        self.assertEqual(self.artifact("x")[0], "uri")

    def test_what_is_not_there(self):
        for path in ("$CTCD_ARTIFACTS/model", "$CTCD_ARTIFACTS/dangling"):
            with self.subTest(path):
                why = self.fails('ln -s nowhere "$CTCD_ARTIFACTS/dangling"\n' + self.GIVES % path, "outputs: [x]")
                self.assertIn("not there", why)

    def test_what_cannot_be_hashed(self):
        self.assertIn('"x"', self.fails('mkfifo "$CTCD_ARTIFACTS/pipe"\n' + self.GIVES % "$CTCD_ARTIFACTS/pipe",
                                        "outputs: [x]"))


class Ends(StepCase):
    def test_how(self):
        for script, why in [("exit 3", "exit status 3"), ("kill -9 $$", "signal 9"),
                            ("kill -SEGV $$", "signal 11"), ("exit 255", "exit status 255")]:
            with self.subTest(script):
                self.assertIn(why, self.fails(script))

    def test_what_cannot_be_run(self):
        path = self.home.file("seed.yaml", "pipeline: seed\nsteps:\n  train:\n    command: [nosuchprogram]\n")
        said = self.home.run("pipeline", "run", path, status=1)
        self.assertIn("could not be run", said.err)
        self.assertIn("No such file", said.err)

    def test_timeout(self):
        """SIGTERM, and SIGKILL to what does not heed it."""
        for script in ("sleep 300", "trap '' TERM; sleep 300 & while :; do wait; sleep 300; done"):
            with self.subTest(script):
                why = self.fails(script, "timeout: 200ms")
                self.assertIn("time-out of 0.2 s", why)
                self.assertIn("give it more time", self.said_err)

    def test_retries(self):
        script = "echo attempt $CTCD_ATTEMPT; test $CTCD_ATTEMPT = 3\n"
        run = self.one(script, "retries: {max: 2, delay: 0s}")
        self.assertEqual((run["status"], run["steps"][0]["attempts"]), ("completed", 3))
        self.assertEqual(self.query("SELECT attempt, status FROM step_runs"),
                         [(1, "failed"), (2, "failed"), (3, "completed")])
        self.assertEqual(self.home.run("run", "logs", run["name"]).out, "attempt 3\n")
        self.assertIn("attempt 1 failed (it ended with exit status 1); again in 0 ms", self.said_err)
        self.check_once()

    def test_retries_with_back_off(self):
        self.fails("exit 1", "retries: {max: 4, delay: 10ms, backoff: 2.5, max_delay: 100ms}")
        for attempt, pause in enumerate((10, 25, 62, 100), 1):
            self.assertIn("attempt %d failed (it ended with exit status 1); again in %d ms" % (attempt, pause),
                          self.said_err)

    def test_retries_after_a_timeout(self):
        run = self.one("test $CTCD_ATTEMPT = 2 || sleep 300", "timeout: 5s", "retries: {max: 1}")
        self.assertEqual(self.query("SELECT attempt, status FROM step_runs"), [(1, "failed"), (2, "completed")])
        self.assertEqual(run["status"], "completed")
        self.check_once()

    def test_retries_that_are_used_up(self):
        self.fails("exit $CTCD_ATTEMPT", "retries: {max: 2, delay: 10ms}")
        self.assertEqual(self.query("SELECT error FROM step_runs ORDER BY attempt"),
                         [("it ended with exit status %d" % k,) for k in (1, 2, 3)])

    def test_what_an_attempt_left_is_not_the_next_one_s(self):
        run = self.one('ls "$CTCD_ARTIFACTS"; test ! -e "$CTCD_OUTPUTS" || exit 9\n' + self.OUTPUT
                       + '\necho a >"$CTCD_ARTIFACTS/a"; test $CTCD_ATTEMPT = 2', "outputs: [x]",
                       "retries: {max: 1, delay: 0s}")
        self.assertEqual(run["status"], "completed")
        self.assertEqual(self.home.run("run", "logs", run["name"]).out, "")

    def test_log(self):
        run = self.one("echo out; echo err >&2; printf 'no end'")
        self.assertEqual(self.home.run("run", "logs", run["name"]).out, "out\nerr\nno end\n")
        self.one("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done")
        name = self.home.json("run", "list")[0]["name"]
        said = self.home.run("run", "logs", name, "--step", "train", "--lines", "3").out
        self.assertEqual(said, "line 298\nline 299\nline 300\n")
        self.assertEqual(len(self.home.run("run", "logs", name).out.splitlines()), 100)

    def test_log_of_odd_bytes(self):
        run = self.one(r"printf '\033[31mred\377\001\r\nnext\n'")
        said = self.home.run("run", "logs", run["name"]).out
        self.assertNotIn("\033", said)
        self.assertIn("next", said)

    def test_the_last_lines_are_in_the_message(self):
        self.fails("echo first; echo the cause >&2; exit 1")
        self.assertIn("the cause", self.said_err.split("last lines:")[1])


class Leftovers(StepCase):
    """Whatever a step does, nothing of it stays; check_once() looks."""

    def test_background_processes(self):
        for script in ("sleep 300 &", "setsid sleep 300 & sleep 0", "(trap '' TERM; exec sleep 300) &",
                       "nohup sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 &"):
            with self.subTest(script):
                self.assertEqual(self.one(script)["status"], "completed")
                self.check_once()

    def test_outputs_of_a_step_with_background_processes(self):
        run = self.one("sleep 300 & " + self.OUTPUT, "outputs: [x]")
        self.assertEqual(run["steps"][0]["outputs"], {"x": 1})
        self.check_once()

    def test_it_kills_its_shim(self):
        why = self.fails("kill -9 $PPID; sleep 300")
        self.assertIn("monitor was lost", why)

    def test_it_kills_its_shim_and_the_next_attempt_does_not(self):
        run = self.one("sleep 300 & test $CTCD_ATTEMPT = 2 || { kill -9 $PPID; sleep 300; }",
                       "retries: {max: 1, delay: 0s}")
        self.assertEqual(self.query("SELECT attempt, status FROM step_runs"), [(1, "failed"), (2, "completed")])
        self.assertEqual(run["status"], "completed")
        self.check_once()

    def test_it_kills_its_group(self):
        self.assertIn("signal 9", self.fails("sleep 300 & kill -9 0; sleep 300"))

    def test_it_signals_its_shim(self):
        """SIGTERM to a shim is handed on."""
        self.assertIn("signal 15", self.fails("kill -TERM $PPID; while :; do sleep 0.02; done"))

    def test_it_removes_its_own_folder(self):
        why = self.fails('rm -rf "$(dirname "$CTCD_OUTPUTS")"; sleep 0.1')
        self.assertNotEqual(why, "")

    def test_it_removes_the_shim_s_record_and_goes_on(self):
        self.fails('rm "$(dirname "$CTCD_OUTPUTS")/alive"; sleep 300', "timeout: 300ms")

    def test_its_neighbours_live(self):
        """Only what is of the step is ended, not what somebody else runs in the same folder."""
        other = subprocess.Popen(["sleep", "300"], cwd=self.home.folder)
        try:
            self.one("sleep 300 &")
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.wait()


class Inputs(StepCase):
    def test_files_and_values(self):
        steps = (self.step("train", 'echo abc >"$CTCD_ARTIFACTS/m"\nprintf \'{"m": "%s", "n": [1, 2]}\' '
                                    '"$CTCD_ARTIFACTS/m" >"$CTCD_OUTPUTS"', "outputs: [m, n]")
                 + self.step("use", 'cat "$CTCD_INPUTS"', "inputs: {model: train.m, numbers: train.n}"))
        run = self.home.json("pipeline", "run", self.pipeline(steps, schedule=""))
        said = self.home.run("run", "logs", run["name"], "--step", "use").out
        self.assertRegex(said, r'"model": "/.*/artifacts/m"')
        self.assertRegex(said, r'(?s)"numbers": \[\s*1,\s*2\s*\]')
        self.check_once()

    def test_what_is_inherited_and_what_is_not(self):
        path = self.pipeline(self.step("train", "env | grep -c CTCD_STRANGE; echo $OTHER; env | grep ^CTCD_ | "
                                                "cut -d= -f1 | sort | tr '\\n' ' '"), schedule="")
        run = self.home.json("pipeline", "run", path, env={"CTCD_STRANGE": "1", "OTHER": "kept"})
        said = self.home.run("run", "logs", run["name"]).out.splitlines()
        self.assertEqual(said[:2], ["0", "kept"])
        self.assertEqual(said[2].split(), [
            "CTCD_ARTIFACTS", "CTCD_ATTEMPT", "CTCD_DATA_INTERVAL_END", "CTCD_DATA_INTERVAL_START", "CTCD_HOME",
            "CTCD_INPUTS", "CTCD_MARKER", "CTCD_NOMINAL_TIME", "CTCD_OUTPUTS", "CTCD_PIPELINE_NAME",
            "CTCD_PREVIOUS_NOMINAL_TIME", "CTCD_RUN_ID", "CTCD_RUN_NAME", "CTCD_STACK", "CTCD_STEP_NAME"])


if __name__ == "__main__":
    unittest.main()
