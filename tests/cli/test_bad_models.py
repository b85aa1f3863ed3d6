"""Folders that are no models, or wrong ones: each is refused by `deploy` before anything starts, with the file and what
is wrong in it, and nothing of the attempt stays: no service, no row, no file. (MLmodel files cut off at each byte, and
whatever a fuzzer thinks of: tests/fuzz.)"""

import json
import os
import unittest

import bad_input

GOOD = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
SAVE = "next: a model's folder has a file MLmodel"
CASES = []


def case(name, text, *words):
    """Of an MLmodel file; what is wrong with YAML itself, test_bad_pipelines.py has more of."""
    CASES.append((name, text.encode() if isinstance(text, str) else text, words))


def python_function(text):
    return "flavors:\n  python_function:%s\n" % text


NO_FLAVOR = "cannot be served: the model has no flavor python_function"
case("empty", "", "/MLmodel:1:1: there is nothing")
case("blank", "\n\n", "/MLmodel:3:1: there is nothing")
case("only a comment", "# soon\n", "/MLmodel:2:1: there is nothing")
case("a text", "MLmodel\n", NO_FLAVOR)
case("a number", "7\n", NO_FLAVOR)
case("null", "null\n", NO_FLAVOR)
case("a list", "- flavors\n", NO_FLAVOR)
case("HTML", "<!DOCTYPE html>\n<title>Not Found</title>\n", NO_FLAVOR)
case("JSON cut off", '{"flavors": {"python_function"', "/MLmodel:2:1: did not find expected")
case("a program", b"\x7fELF\x02\x01\x01\x00", "/MLmodel:1:8: the character NUL", "next: save it")
case("gzip", b"\x1f\x8b\x08\x00", "/MLmodel:1:2: no valid UTF-8")
case("no flavors", "artifact_path: model\n", NO_FLAVOR, "next: save it with one of MLflow's Python flavors")
case("flavors that are null", "flavors:\n", NO_FLAVOR)
case("flavors as a text", "flavors: python_function\n", NO_FLAVOR)
case("flavors as a list", "flavors: [python_function]\n", NO_FLAVOR)
case("flavors as a number", "flavors: 3\n", NO_FLAVOR)
case("another flavor only", "flavors:\n  mleap: {x: 1}\n", NO_FLAVOR + ", only mleap")
case("capital letters", "Flavors:\n  Python_Function: {loader_module: x}\n", NO_FLAVOR)
case("a flavor that is a number", python_function(" 3"), "/MLmodel:2:20: the flavor", SAVE)
case("a flavor that is null", python_function(""), "/MLmodel:2:19: the flavor", SAVE)
case("a flavor that is a text", python_function(" mlflow.sklearn"), "must be a mapping", SAVE)
case("a flavor that is a list", python_function(" [loader_module]"), "must be a mapping", SAVE)
case("a flavor with nothing", python_function(" {}"), "needs a loader_module", SAVE)
case("a loader that is null", python_function(" {loader_module: }"), "needs a loader_module", SAVE)
case("a loader that is empty", python_function(' {loader_module: ""}'), "needs a loader_module", SAVE)
case("a loader that is a list", python_function(" {loader_module: [x]}"), "needs a loader_module", SAVE)
case("one key twice", GOOD + GOOD, '/MLmodel:4:1: the key "flavors" is in line 1 already')
case("a tab", "flavors:\n\tpython_function: {}\n", "/MLmodel:2:1: found character", "next: indent with blanks")
case("a quote that is not closed", GOOD + '    env: "x\n', "/MLmodel:5:1: found unexpected end")
case("a bracket that is not closed", GOOD + "    env: [x\n", "/MLmodel:5:1: did not find expected")
case("an alias of no anchor", GOOD + "    env: *x\n", "/MLmodel:4:10: an alias (*) of no anchor")
case("a Python object", GOOD + "    env: !!python/object/apply:os.system [x]\n", "/MLmodel:4:10: tags of Python")
case("a Python object for all of it", "!!python/object/new:x {}\n", "/MLmodel:1:1: tags of Python")
case("two documents", GOOD + "---\n" + GOOD, "/MLmodel:4:1: a second document")
case("NUL", GOOD.encode() + b"\0", "/MLmodel:4:1: the character NUL")
case("NUL as an escape", GOOD + 'x: "\\0"\n', "/MLmodel:4:4: a text holds the character NUL")
case("a control character", GOOD + "x: \x07\n", "/MLmodel:4:4: control characters")
case("UTF-16", GOOD.encode("utf-16"), "/MLmodel:1:1: no valid UTF-8")
case("Latin-1", (GOOD + "x: \xe9\n").encode("latin-1"), "/MLmodel:4:4: no valid UTF-8")
case("100,000 lists in each other", GOOD + "x: " + "[" * 100000, "/MLmodel:4:35: nested too deeply", SAVE)
case("20,000 values", GOOD + "x: [" + "1," * 20000 + "]\n", "too many values: at most 10000", SAVE)
case("9,000 anchors in 9,000 lines", "".join("k%d: &a%d 1\n" % (i, i) for i in range(9000)), NO_FLAVOR)
case("a bomb of aliases that is no model",
     "a: &a [x,x]\n" + "".join("%c: &%c [*%c,*%c]\n" % (98 + i, 98 + i, 97 + i, 97 + i) for i in range(20)), NO_FLAVOR)
case("2 MB", GOOD + "#" * 2000000 + "\n", "/MLmodel is larger than 1048576 bytes", SAVE)
case("a signature that is a number", GOOD + "signature: 3\n", "/MLmodel:4:12: the signature must be", SAVE)
case("inputs that are a number", GOOD + "signature: {inputs: 3}\n", "/MLmodel:4:21: the inputs of", SAVE)
case("inputs that are no JSON", GOOD + "signature: {inputs: 'x'}\n", "the inputs of the signature must be", SAVE)
case("inputs that are cut off", GOOD + "signature: {inputs: '[{\"name\": \"a'}\n", "the inputs of the signature", SAVE)
case("inputs that are an object", GOOD + "signature: {inputs: '{}'}\n", "the inputs of the signature must be", SAVE)
case("inputs in 100,000 lists", GOOD + "signature:\n  inputs: '%s'\n" % ("[" * 100000), "the inputs of", SAVE)


class BadModels(bad_input.BadInputCase):
    def refuses_model(self, uri, status, *words):
        return self.refuses(["deploy", uri, "--deployer", "ml", "--model-name", "digits"], status, *words)

    def folder(self, name):
        path = os.path.join(self.home.folder, name)
        os.mkdir(path)
        return path

    def test_each_is_refused_where_it_is_wrong(self):
        path = self.folder("model")
        self.assertEqual(len({name for name, _, _ in CASES}), len(CASES))
        for name, text, words in CASES:
            with self.subTest(name):
                with open(os.path.join(path, "MLmodel"), "wb") as file:
                    file.write(text)
                self.refuses_model("model", 2, "ctcd: " + path, *words)
        print("\nmeasured: %d malformed MLmodel files" % len(CASES))

    def test_what_is_in_the_place_of_a_file(self):
        def folder(path):
            os.mkdir(path)

        def huge(path):
            with open(path, "wb") as file:
                file.truncate(1 << 30)  # 1 GB, without a block of its own

        for name, make, status, word in (
                ("folder", folder, 2, "is a folder"), ("fifo", os.mkfifo, 2, "is no regular file"),
                ("huge", huge, 2, "is larger than 1048576 bytes"),
                ("null", lambda path: os.symlink("/dev/null", path), 2, "is no regular file"),
                ("zero", lambda path: os.symlink("/dev/zero", path), 2, "is no regular file"),
                ("passwd", lambda path: os.symlink("/etc/passwd", path), 2, "passwd"),
                ("memory", lambda path: os.symlink("/proc/self/mem", path), 1, "MLmodel"),
                ("loop", lambda path: os.symlink("MLmodel", path), 1, "symbolic links"),
                ("dangling", lambda path: os.symlink("nowhere", path), 2, "has no MLmodel")):
            with self.subTest(name):
                make(os.path.join(self.folder(name), "MLmodel"))
                self.refuses_model(name, status, name, word, "next: ")

    def test_what_is_no_folder(self):
        self.folder("empty")
        self.home.file("outer/model/MLmodel", GOOD)
        self.home.file("file", GOOD)
        os.mkfifo(os.path.join(self.home.folder, "fifo"))
        os.symlink("loop", os.path.join(self.home.folder, "loop"))
        for uri, status, word in (
                ("empty", 2, "has no MLmodel"), ("outer", 2, "did you mean"), ("file", 2, "is no folder"),
                ("fifo", 2, "is no folder"), ("/dev/zero", 2, "is no folder"), ("nowhere", 3, "there is no model at"),
                ("file/MLmodel", 3, "there is no model"), ("file:///a%00b", 2, "file: URI"),
                ("file:///a%2", 2, "file: URI"), ("file://elsewhere/m", 2, "file: URI"), ("s3://b/m", 2, "s3://b/m"),
                ("models:/", 2, "models:/"), ("models:/a/b/c", 2, "models:/a/b/c"), ("runs:/abc/../../etc", 2, "plain"),
                ("models:/digits/1", 2, "none is configured"), ("x" * 5000, 1, "too long"), ("loop", 1, "links")):
            with self.subTest(uri[:30]):
                self.refuses_model(uri, status, word, "next: ")
        self.refuses_model("", 2, "must not be empty")

    def test_examples_that_lie_are_left_alone(self):
        """What they say is no reason against the model; what they are must not hang or fill the memory."""
        info = ("saved_input_example_info:\n  artifact_path: %s\n  pandas_orient: split\n  type: dataframe\n")
        for number, (artifact, text) in enumerate((
                ("/etc/passwd", "{"), ("../outside.json", "{"), ("input_example.json", "[" * 100000),
                ("input_example.json", "<html>"), ("input_example.json", json.dumps("a text")),
                ("input_example.json", '{"data": [[1]'), ("input_example.json", "NaN"), ("[x]", "{}"), ("3", "{}"))):
            with self.subTest("%s %.20s" % (artifact, text)):
                name = "example-%d" % number
                self.home.file(name + "/MLmodel", GOOD + info % artifact)
                self.home.file(name + "/input_example.json", text)
                os.mkfifo(os.path.join(self.home.folder, name, "serving_input_example.json"))
                code, out, err = self.measured(["deploy", name, "--deployer", "ml", "--model-name", "digits",
                                                "--dry-run"])
                self.assertEqual((code, out, err), (0, "Nothing speaks against deploying it.\n", ""))
                self.assertEqual(self.everything(), self.before)


if __name__ == "__main__":
    unittest.main()
