"""Pipeline files that are wrong in many ways: each is refused with its line and column, and what is allowed there,
by `pipeline validate` and by `pipeline run` alike; nothing is stored. (Files cut off at each byte, and whatever a
fuzzer thinks of: tests/fuzz.)"""

import os
import unittest

import bad_input

P = "pipeline: p\n"
S = "steps: {a: {command: [x]}}\n"
D = "  t: {command: [x], outputs: [m, model]}\n"
# Each line holds the one before nine times: 9 to the 9th values, if anybody wrote them out.
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    "%s: &%s [%s]\n" % (chr(98 + i), chr(98 + i), ",".join(["*" + chr(97 + i)] * 9)) for i in range(8))
CASES = []


def case(name, text, where, *words):
    CASES.append((name, text.encode() if isinstance(text, str) else text, where, words))


def step(text):
    return P + "steps:\n  a: " + text + "\n"


def with_training(text):
    return P + "steps:\n" + D + "  b: " + text + "\n"


def scheduled(text):
    return P + S + "schedule: " + text + "\n"


# ---- YAML
case("empty", "", "1:1", "there is nothing")
case("blank", "  \n\n", "3:1", "there is nothing")
case("only a comment", "# nothing\n", "2:1", "there is nothing")
case("only a mark of a document", "---\n", "2:1", "must be a mapping")
case("two documents", P + S + "---\n" + P + S, "3:1", "a second document")
case("HTML", "<!DOCTYPE html>\n<html><body>404</body></html>\n", "1:1", "must be a mapping")
case("JSON cut off", '{"pipeline": "p", "steps": {"a": {"command": ["x"', "2:1", "expected")
case("a list", "- pipeline\n- steps\n", "1:1", "must be a mapping")
case("a text", "pipeline\n", "1:1", "must be a mapping")
case("a number", "7\n", "1:1", "must be a mapping")
case("null", "null\n", "1:1", "must be a mapping")
case("a tab", "pipeline: p\nsteps:\n\ta: {command: [x]}\n", "3:1", "cannot start any token")
case("a bracket that is not closed", P + "steps: {a: {command: [x}}\n", "2:24", "expected")
case("a quote that is not closed", P + 'steps: {a: {command: ["x]}}\n', "3:1", "unexpected end of stream")
case("a bad escape", P + 'steps: {a: {command: ["\\q"]}}\n', "2:24", "unknown escape")
case("indentation that does not fit",
     P + "steps:\n  a:\n    command: [x]\n   b:\n    command: [x]\n", "5:4", "expected")
case("two values in a line", "pipeline: p: q\n" + S, "1:12", "mapping values")
case("an anchor", P + "steps: {a: &a {command: [x]}, b: *a}\n", "2:12", "anchors")
case("an alias", P + "steps: {a: *a}\n", "2:12", "aliases")
case("a bomb of aliases",
     BOMB + P + S, "1:4", "anchors")
case("an alias of itself", "a: &a [*a]\n", "1:4", "anchors")
case("a merge key", P + "steps: {a: {<<: {command: [x]}}}\n", "2:13", "merge keys")
case("a tag that makes an object", step("!!python/object/apply:os.system [\"true\"]"), "3:6", "tags")
case("a tag of our own", P + "steps: !steps {a: {command: [x]}}\n", "2:8", "tags")
case("binary", P + "params: {a: !!binary aGVsbG8=}\n" + S, "2:13", "tags")
case("a directive of YAML 9", "%YAML 9.0\n---\n" + P + S, "1:1", "incompatible")
case("a key that is a list", P + "? [steps]\n: {a: {command: [x]}}\n", "2:3", "a key must be a text")
case("a key that is missing", P + S + ": x\n", "3:1", "did not find expected key")
case("one key twice", P + P + S, "2:1", "in line 1 already")
case("one step twice", P + "steps:\n  a: {command: [x]}\n  a: {command: [y]}\n", "4:3", "in line 3 already")
case("one key twice, once in quotes", P + '"pipeline": q\n' + S, "2:1", "in line 1 already")
case("40 lists in each other", P + "params: {a: " + "[" * 40 + "]" * 40 + "}\n" + S, "2:43", "nested too deeply")
case("100,000 lists in each other", P + "params: {a: " + "[" * 100000, "2:43", "nested too deeply")
case("100,000 mappings in each other", "{a: " * 100000, "1:129", "nested too deeply")
case("400,000 dashes", "- " * 400000, "1:65", "nested too deeply")
case("20,000 values", P + "params: {a: [" + "1," * 20000 + "]}\n" + S, "2:20006", "too many values")
case("2 MB", P + S + "#" * 2000000 + "\n", None, "larger than 1048576 bytes")
case("no UTF-8", "pipeline: p\xff\n".encode("latin-1"), "1:12", "no valid UTF-8")
case("a surrogate as UTF-8", b"pipeline: \xed\xa0\x80\n", "1:11", "no valid UTF-8")
case("an overlong slash", b"pipeline: \xc0\xaf\n", "1:11", "no valid UTF-8")
case("UTF-8 cut off", b"pipeline: \xe2\x82", "1:11", "no valid UTF-8")
case("UTF-16", (P + S).encode("utf-16"), "1:1", "no valid UTF-8")
case("UTF-16 without a mark", (P + S).encode("utf-16-le"), "1:2", "NUL")
case("UTF-32", (P + S).encode("utf-32"), "1:1", "no valid UTF-8")
case("NUL in the text", b"pipeline: p\x00q\n", "1:12", "NUL")
case("NUL at the end", (P + S).encode() + b"\x00", "3:1", "NUL")
case("NUL as an escape", 'pipeline: "a\\0b"\n' + S, "1:11", "NUL")
case("an escape sequence of a terminal", step('{command: ["${params.x\\e[2J"]}'), "3:16", 'step "a"')
case("a control character", "pipeline: p\x07\n" + S, "1:12", "control characters")
case("a program", b"\x7fELF\x02\x01\x01\x00\x00\x00", "1:8", "NUL")
case("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "1:2", "no valid UTF-8")

# ---- the top
case("no steps", P, "1:1", 'needs "steps"')
case("no name", S, "1:1", 'needs "pipeline"')
case("an unknown key", P + S + "shedule: {}\n", "3:1", '"shedule"', 'did you mean "schedule"')
case("a key that is like no other", P + S + "zzzzzzzzz: 1\n", "3:1", "it may have: pipeline")
case("a name that is null", "pipeline: ~\n" + S, "1:11", '"pipeline" must be a text')
case("a name that is a list", "pipeline: [p]\n" + S, "1:11", '"pipeline" must be a text')
case("an empty name", 'pipeline: ""\n' + S, "1:11", "name")
case("a name with a slash", "pipeline: ../../etc/p\n" + S, "1:11", "name")
case("a name of 10,000 characters", "pipeline: " + "p" * 10000 + "\n" + S, "1:11", "name")
case("no step at all", P + "steps: {}\n", "2:8", "must be a mapping of step names")
case("steps as a list", P + "steps: [a]\n", "2:8", "must be a mapping of step names")
case("1,001 steps",
     P + "steps:\n" + "".join("  s%d: {command: [x]}\n" % i for i in range(1001)), "3:3", "more than 1000 steps")
case("params as a list", "params: [a]\n" + P + S, "1:9", '"params" must be a mapping')
case("a parameter with a blank", "params: {a b: 1}\n" + P + S, "1:10", "a b")
case("0 jobs", "jobs: 0\n" + P + S, "1:7", "from 1 to 64")
case("1e9 jobs", "jobs: 1000000000\n" + P + S, "1:7", "from 1 to 64")
case("jobs beyond 64 bits", "jobs: 99999999999999999999\n" + P + S, "1:7", "from 1 to 64")
case("jobs as a text", 'jobs: "2"\n' + P + S, "1:7", "from 1 to 64")
case("jobs that are no number", "jobs: .nan\n" + P + S, "1:7", "from 1 to 64")
case("on_crash: restart", "on_crash: restart\n" + P + S, "1:11", "resume")
case("on_failure as a text", "on_failure: notify.sh\n" + P + S, "1:13", "must be a list")

# ---- steps
case("a step that is a text", step("x"), "3:6", 'the step "a" must be a mapping')
case("a step that is null", step("~"), "3:6", 'the step "a" must be a mapping')
case("a step that does nothing", step("{outputs: [m]}"), "3:6", "exactly one of: command")
case("a step that does two things", step("{command: [x], decide: {metric: a.b}}"), "3:6", "exactly one of: command")
case("a step with a blank in its name", P + "steps: {a b: {command: [x]}}\n", "2:9", "a b")
case("a step whose name leads out", P + "steps: {../a: {command: [x]}}\n", "2:9", "../a")
case("a command as a text", step("{command: x}"), "3:16", '"command" must be a list')
case("an empty command", step("{command: []}"), "3:16", '"command" must not be empty')
case("a command without a program", step('{command: [""]}'), "3:16", "command")
case("a command in a command", step("{command: [[x]]}"), "3:17", 'element of "command"')
case("a null in a command", step("{command: [x, ~]}"), "3:20", 'element of "command"')
case("an unknown key of a step", step("{command: [x], tineout: 5s}"), "3:21", '"tineout"', 'did you mean "timeout"')
case("a time-out without a unit", step("{command: [x], timeout: soon}"), "3:30", "must be a duration")
case("a time-out of nothing", step("{command: [x], timeout: 0s}"), "3:30", "must be a duration")
case("a time-out before now", step("{command: [x], timeout: -5s}"), "3:30", "must be a duration")
case("a time-out of ages", step("{command: [x], timeout: 106751991167d}"), "3:30", "must be at most 36500d")
case("a time-out beyond 64 bits",
     step("{command: [x], timeout: 99999999999999999999d}"), "3:30", "must be a duration")
case("a cache that is maybe", step("{command: [x], cache: maybe}"), "3:28", "must be true or false")
case("retries as a number", step("{command: [x], retries: 3}"), "3:30", '"retries" must be a mapping')
case("a million retries", step("{command: [x], retries: {max: 1000000}}"), "3:36", "from 0 to 100")
case("half a retry", step("{command: [x], retries: {max: 1.5}}"), "3:36", "from 0 to 100")
case("a back-off that is no number",
     step("{command: [x], retries: {max: 1, backoff: .nan}}"), "3:48", "number from 1 to 100")
case("a back-off without end",
     step("{command: [x], retries: {max: 1, backoff: .inf}}"), "3:48", "number from 1 to 100")
case("an output with a dot", step("{command: [x], outputs: [a.b]}"), "3:6", "a.b")
case("one output twice", step("{command: [x], outputs: [m, m]}"), "3:30", "m")
case("inputs as a list", step("{command: [x], inputs: [a.b]}"), "3:29", '"inputs" must be a mapping')
case("an input that is no output",
     step("{command: [x], inputs: {m: model}}"), "3:33", "must name an output of a step")
case("an input of a step that is not there", step("{command: [x], inputs: {m: b.model}}"), "3:33", '"b"')
case("an input that nobody writes",
     P + "steps:\n  a: {command: [x], outputs: [model]}\n  b: {command: [x], inputs: {m: a.modell}}\n", "4:33", 'modell', 'model')
case("an input of itself", step("{command: [x], outputs: [m], inputs: {m: a.m}}"), "3:6", "")
case("a circle", P + "steps:\n  a: {command: [x], after: [b]}\n  b: {command: [x], after: [a]}\n", "3:6", "circle")
case("after a step that is not there", step("{command: [x], after: [b]}"), "3:28", '"b"')
case("a parameter that is not there", step('{command: ["${params.x}"]}'), "3:16", 'no parameter "x"')
case("a parameter that is not closed", step('{command: ["${params.x"]}'), "3:16", "${")
case("something else in ${}", step('{command: ["${env.HOME}"]}'), "3:16", "env.HOME")
case("when of a step that decides nothing",
     P + "steps:\n  a: {command: [x]}\n  b: {command: [x], when: a}\n", "4:27", "when")

# ---- decide, deploy
D="  t: {command: [x], outputs: [m, model]}\n"
case("a decision without a metric", with_training("{decide: {threshold: 1}}"), "4:15", 'needs "metric"')
case("a decision about nothing", with_training("{decide: ~}"), "4:15", '"decide" must be a mapping')
case("a threshold that is a list", with_training("{decide: {metric: t.m, threshold: [1]}}"), "4:40", "must be a single value")
case("a threshold that is no number", with_training("{decide: {metric: t.m, threshold: high}}"), "4:40", "threshold")
case("a threshold that is NaN", with_training("{decide: {metric: t.m, threshold: .nan}}"), "4:40", "threshold")
case("an unknown comparison", with_training("{decide: {metric: t.m, threshold: 1, comparison: eq}}"), "4:55", "comparison")
case("a decision about a step that deploys nothing",
     with_training("{decide: {metric: t.m, threshold: 1, deploys: t}}"), "4:52", "deploys")
case("a deploy without a name", with_training("{deploy: {model_uri: ./m}}"), "4:15", 'needs "model_name"')
case("a deploy without a model", with_training("{deploy: {model_name: m}}"), "4:15", 'needs "model_uri"')
case("a deploy of a word", with_training("{deploy: {model_name: m, model_uri: model}}"), "4:42", "model_uri")
case("a deploy of an output that is not there",
     with_training("{deploy: {model_name: m, model_uri: t.modell}}"), "4:42", "modell")
case("options as a list",
     with_training("{deploy: {model_name: m, model_uri: ./m, options: [workers]}}"), "4:56", '"options" must be a mapping')
case("an option that is a list",
     with_training("{deploy: {model_name: m, model_uri: ./m, options: {workers: [1]}}}"), "4:66", "must be a single value")
case("replace: sometimes",
     with_training("{deploy: {model_name: m, model_uri: ./m, replace: sometimes}}"), "4:56", "must be true or false")
case("restart: sometimes", with_training("{deploy: {model_name: m, model_uri: ./m, restart: sometimes}}"), "4:56", "restart")
case("on_failure: pray", with_training("{deploy: {model_name: m, model_uri: ./m, on_failure: pray}}"), "4:59", "on_failure")

# ---- schedule
case("a schedule without an interval", scheduled("{start: now}"), "3:11", "interval")
case("a schedule as a text", scheduled("daily"), "3:11", '"schedule" must be a mapping')
case("an interval of nothing", scheduled("{interval: 0s}"), "3:22", "must be a duration")
case("an interval of ages", scheduled("{interval: 106751991167d}"), "3:22", "must be at most 36500d")
case("a start that is no instant",
     scheduled("{interval: 60s, start: tomorrow}"), "3:34", '"tomorrow" is not an instant')
case("a 30th of February", scheduled("{interval: 60s, start: 2026-02-30T00:00:00Z}"), "3:34", "2026-02-30")
case("an end before the start",
     scheduled("{interval: 60s, start: 2026-01-02T00:00:00Z, end: 2026-01-01T00:00:00Z}"), "3:11", "end")
case("an unknown catch-up", scheduled("{interval: 60s, catchup: some}"), "3:36", "no catch-up policy")
case("an unknown overlap", scheduled("{interval: 60s, overlap: perhaps}"), "3:36", "overlap")
case("an interval of a year and more", scheduled("{interval: 400d}"), "3:11", "1 s to 366 days")
case("an end beyond all years", scheduled("{interval: 60s, end: +106751991167d}"), "3:11", "years 1 to 9999")
case("a delay of ages", step("{command: [x], retries: {max: 1, delay: 106751991167d}}"), "3:46", "at most 36500d")
case("an empty name of a step", P + 'steps: {"": {command: [x]}}\n', "2:9", "name of a step is empty")
case("an empty name of a parameter", 'params: {"": 1}\n' + P + S, "1:10", "name of a parameter is empty")


class BadPipelines(bad_input.BadInputCase):
    def refuses_file(self, path, *words):
        said = self.refuses(["pipeline", "validate", path], 2, *words)
        self.assertEqual(self.refuses(["pipeline", "run", path], 2, *words), said)

    def test_each_is_refused_where_it_is_wrong(self):
        path = os.path.join(self.home.folder, "p.yaml")
        self.assertEqual(len({name for name, _, _, _ in CASES}), len(CASES))
        for name, text, where, words in CASES:
            with self.subTest(name):
                with open(path, "wb") as file:
                    file.write(text)
                self.refuses_file("p.yaml", "ctcd: p.yaml:%s: " % where if where else "ctcd: p.yaml ", *words)
        print("\nmeasured: %d malformed pipeline files" % len(CASES))

    def test_what_is_no_file(self):
        at = {name: os.path.join(self.home.folder, name) for name in ("fifo", "loop", "huge", "folder", "dangling")}
        os.mkfifo(at["fifo"])
        os.symlink("loop", at["loop"])
        os.symlink("nowhere", at["dangling"])
        os.mkdir(at["folder"])
        with open(at["huge"], "wb") as file:
            file.truncate(1 << 30)  # without a block of its own
        for path, status, word in (
                ("fifo", 2, "is no regular file"), ("folder", 2, "is a folder"), ("huge", 2, "larger than 1048576"),
                ("/dev/null", 2, "is no regular file"), ("/dev/zero", 2, "is no regular file"),
                ("loop", 1, "symbolic links"), ("dangling", 3, "No such file"), ("nowhere", 3, "No such file"),
                ("p.yaml/x", 3, ""), ("x" * 300, 1, "too long"), ("x/" * 3000, 1, "too long")):
            with self.subTest(path[:20]):
                for command in ("validate", "run"):
                    self.refuses(["pipeline", command, path], status, word, "next: give the path")


if __name__ == "__main__":
    unittest.main()
