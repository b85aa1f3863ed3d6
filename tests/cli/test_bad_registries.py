"""Tracking servers that answer with what no MLflow server would: each answer is refused with the server's address or
the field that is wrong, in bounded time and memory, and nothing stays: no file on its way in, no row, no process.
(Answers cut off at each byte: tests/unit/test_mlflow_registry.c, and the seeds of tests/fuzz.)"""

import gzip
import os
import unittest

import bad_input
from lying_server import MLMODEL, PLACES, LyingServer, answer, as_json
from lying_server import claim_and_silence, drip, drip_headers, endless, silence

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CASES = []


def case(name, said, place, status, *words):
    """In place of the answer to what; the exit status; what the message says."""
    CASES.append((name, said, place, status, words))


# ---- the version
case("HTML", answer("<html>Welcome</html>", kind="text/html"),
     "version", 1, "answered 200 with text/html where JSON was expected")
case("HTML that says it is JSON", answer("<html>Welcome</html>"), "version", 1, "where JSON was expected")
case("nothing", answer(""), "version", 1, "where JSON was expected")
case("blanks", answer(" \n\t "), "version", 1, "where JSON was expected")
case("a list", answer("[]"), "version", 1, "where JSON was expected")
case("a text", answer('"iris"'), "version", 1, "where JSON was expected")
case("a number", answer("7"), "version", 1, "where JSON was expected")
case("null", answer("null"), "version", 1, "where JSON was expected")
case("a bare NaN", answer("NaN"), "version", 1, "where JSON was expected")
case("a bare word", answer("undefined"), "version", 1, "where JSON was expected")
case("an object that is not closed", answer("{"), "version", 1, "the text ends here")
case("two objects", answer("{} {}"), "version", 1, "version 1 of the model iris")
case("an object and HTML", answer("{}<html>"), "version", 1, "version 1 of the model iris")
case("a comma too many", answer('{"model_version": {},}'), "version", 1, "version 1 of the model iris")
case("single quotes", answer("{'model_version': 1}"), "version", 1, "version 1 of the model iris")
case("100,000 lists in each other", answer('{"a": ' + "[" * 100000), "version", 2, "nested too deeply")
case("100,000 objects in each other", answer('{"a": ' * 100000), "version", 2, "nested too deeply")
case("NUL", answer(b'{"a": 1\0}'), "version", 1, "NUL")
case("NUL as an escape", answer('{"a": "\\u0000"}'), "version", 1, "NUL")
case("half a surrogate", answer('{"a": "\\ud800"}'), "version", 1, "version 1 of the model iris")
case("no UTF-8", answer(b'{"a": "\xff"}'), "version", 1, "version 1 of the model iris")
case("UTF-16", answer('{"a": 1}'.encode("utf-16")), "version", 1, "where JSON was expected")
case("a line break in a text", answer('{"a": "x\ny"}'), "version", 1, "not closed on its line")
case("gzip that nobody asked for",
     answer(gzip.compress(b" " * (64 << 20)), 200, "application/json", None, "Content-Encoding: gzip"),
     "version", 1, "where JSON was expected")
case("5 MB", answer(" " * (5 << 20)), "version", 2, "larger than")
case("an empty object", answer("{}"), "version", 1, "no proper version")
case("a version that is a number", as_json({"model_version": 1}), "version", 1, "no proper version")
case("a version that is a list", as_json({"model_version": []}), "version", 1, "no proper version")
case("a version without a number", as_json({"model_version": {"name": "iris"}}), "version", 1, "no proper version")
case("the version NaN", answer('{"model_version": {"name": "iris", "version": NaN}}'),
     "version", 1, "no proper version")
case("the version -1", as_json({"model_version": {"name": "iris", "version": -1}}), "version", 1, "no proper version")
case("the version 1.5", as_json({"model_version": {"name": "iris", "version": 1.5}}),
     "version", 1, "no proper version")
case("a version of 400 digits", as_json({"model_version": {"name": "iris", "version": "1" * 400}}),
     "version", 1, "no proper version")
case("a version of 400 digits that is a number",
     as_json({"model_version": {"name": "iris", "version": int("1" * 400)}}),
     "version", 1, "number overflow")
case("a version that is a path", as_json({"model_version": {"name": "iris", "version": "../1"}}),
     "version", 1, "no proper version")
case("another version", as_json({"model_version": {"name": "iris", "version": "2"}}),
     "version", 1, "no proper version")
case("another model", as_json({"model_version": {"name": "rose", "version": "1"}}), "version", 1, "no proper name")
case("a name that is a number", as_json({"model_version": {"name": 1, "version": "1"}}),
     "version", 1, "no proper name")
case("a version that is not ready",
     as_json({"model_version": {"name": "iris", "version": "1", "status": "PENDING_REGISTRATION"}}),
     "version", 6, "is not ready")
case("a terminal's escapes", as_json({"error_code": "X", "message": "a\x1b[2J\nctcd: done"}, status=400),
     "version", 2, "(400): ")
case("status 100 with nothing", answer('', 100, "text/plain"), "version", 7)
case("status 204 with nothing", answer('', 204, "text/plain"), "version", 1, "where JSON was expected")
case("status 206 with {", answer('{', 206, "application/json"), "version", 1, "the text ends here")
case("status 301 with nothing", answer('', 301, "text/html"), "version", 1, "redirect (301)")
case("status 304 with nothing", answer('', 304, "text/html"), "version", 1, "redirect (304)")
case("status 400 with {\"error_code",
     answer('{"error_code": "BAD_REQUEST", "message": "no"}', 400, "application/json"),
     "version", 2, "(400): no")
case("status 401 with nothing", answer('', 401, "text/html"), "version", 4, "wants to know who asks (401)")
case("status 403 with Permission d", answer('Permission denied', 403, "text/html"),
     "version", 4, "does not allow it (403)")
case("status 404 with <html>", answer('<html>', 404, "text/html"), "version", 2, "cannot be asked for")
case("status 404 with {}", answer('{}', 404, "application/json"), "version", 3, "not at the tracking server")
case("status 404 with [[[[", answer('[[[[', 404, "application/json"), "version", 2, "cannot be asked for")
case("status 405 with nothing", answer('', 405, "text/html"), "version", 2, "(405)")
case("status 407 with nothing", answer('', 407, "text/html"), "version", 2, "(407)")
case("status 418 with I am a teapo", answer('I am a teapot', 418, "text/plain"), "version", 2, "(418): I am a teapot")
case("status 429 with slower", answer('slower', 429, "text/plain"), "version", 7, "too busy (429): slower")
case("status 500 with <html>Traceb", answer('<html>Traceback</html>', 500, "text/html"), "version", 1, "failed (500)")
case("status 500 with much", answer('{"message": "' + "x" * 100000 + '"}', 500, "application/json"),
     "version", 1, "failed (500)")
case("status 502 with <html>Bad Ga", answer('<html>Bad Gateway</html>', 502, "text/html"),
     "version", 7, "too busy (502)")
case("status 503 with nothing", answer('', 503, "text/plain"), "version", 7, "too busy (503)")
case("status 504 with nothing", answer('', 504, "text/plain"), "version", 7, "too busy (504)")
case("status 599 with nothing", answer('', 599, "text/plain"), "version", 1, "failed (599)")
case("status 999 with nothing", answer('', 999, "text/plain"), "version", 1)
case("a redirect to itself",
     answer("", 302, "text/html", None, "Location: " + PLACES["version"] + "name=iris&version=1"),
     "version", 1, "redirect (302)")
case("a redirect to a file", answer("", 302, "text/html", None, "Location: file:///etc/passwd"),
     "version", 1, "redirect (302)")
case("a redirect to elsewhere", answer("{}", 307, "application/json", None, "Location: http://192.0.2.1/"),
     "version", 1, "redirect (307)")
case("a mail server", b"220 mail.test ESMTP ready\r\n", "version", 1, "is not HTTP")
case("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x28", "version", 1)
case("bare JSON", b'{"model_version": {}}', "version", 1)
case("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version", 1)
case("a status that is no number", b"HTTP/1.1 abc OK\r\n\r\n{}", "version", 1)
case("nothing at all", b"", "version", 7)
case("half a line", b"HTTP/1.", "version", 7)
case("headers that end early", b"HTTP/1.1 200 OK\r\nContent-Le", "version", 1)
case("a length that is no number", answer("{}", length="abc"), "version", 1)
case("a length below nothing", answer("{}", length=-5), "version", 1)
case("a length beyond 64 bits", answer("{}", length=1 << 70), "version", 2)
case("two lengths", answer("{}", 200, "application/json", 2, "Content-Length: 7"), "version", 1)
case("a length of 1 GB, and the end", answer("{", length=1 << 30), "version", 2)
case("a length of 5 GB, and the end", answer("{", length=5 << 30), "version", 2)
case("a length that is 10 too long", answer("{}", length=12), "version", 1, "ended early")
case("a length that is 1 too short", answer("{}", length=1), "version", 1, "the text ends here")
case("a chunk that is cut off", CHUNKED + b"5\r\n{", "version", 1, "ended early")
case("a chunk that is no number", CHUNKED + b"xyz\r\n{}\r\n", "version", 7)
case("a chunk of 16 digits", CHUNKED + b"ffffffffffffffff\r\n{}\r\n", "version", 7)
case("a chunk of 1 GB, and the end", CHUNKED + b"40000000\r\n{", "version", 1, "ended early")
case("an encoding that nobody knows", answer("{}", 200, "application/json", None, "Transfer-Encoding: x"),
     "version", 1)
case("four headers of 90 KB", answer("{}", 200, "application/json", None, *["X: " + "x" * 90000] * 4), "version", 2)
case("20,000 headers", answer("{}", 200, "application/json", None, *["X-%d: x" % i for i in range(20000)]),
     "version", 1)

# ---- where its files are
case("an address that is missing", as_json({}), "address", 1, "no proper artifact_uri")
case("an address that is a number", as_json({"artifact_uri": 7}), "address", 1, "no proper artifact_uri")
case("an address that is null", as_json({"artifact_uri": None}), "address", 1, "no proper artifact_uri")
case("an address that is empty", as_json({"artifact_uri": ""}), "address", 1, "no proper artifact_uri")
case("an address in S3", as_json({"artifact_uri": "s3://bucket/m"}), "address", 2, "does not hand out")
case("an address on disk", as_json({"artifact_uri": "file:///etc"}), "address", 2, "does not hand out")
case("an address that is a path", as_json({"artifact_uri": "/etc"}), "address", 2, "does not hand out")
case("an address that leads out", as_json({"artifact_uri": "mlflow-artifacts:/../../etc"}),
     "address", 1, "as the place of its files")
case("an address of nothing", as_json({"artifact_uri": "mlflow-artifacts:/"}),
     "address", 1, "as the place of its files")
case("an address with a dot", as_json({"artifact_uri": "mlflow-artifacts:/a/./b"}),
     "address", 1, "as the place of its files")
case("an address with a line break", as_json({"artifact_uri": "mlflow-artifacts:/a\r\nX: y"}),
     "address", 1, "as the place of its files")
case("an address of another server", as_json({"artifact_uri": "mlflow-artifacts://192.0.2.1/m"}),
     "address", 2, "another server, 192.0.2.1")
case("an address of 100,000 characters", as_json({"artifact_uri": "mlflow-artifacts:/" + "x" * 100000}),
     "address", 1, "as the place of its files")
case("an address in HTML", answer("<html>"), "address", 1, "where JSON was expected")

# ---- the list of its files
case("a listing of nothing", as_json({}), "listing", 3, "has no files")
case("a listing of no file", as_json({"files": []}), "listing", 3, "has no files")
case("a listing that is an object", as_json({"files": {}}), "listing", 1, "no proper list")
case("a listing that is a text", as_json({"files": "MLmodel"}), "listing", 1, "no proper list")
case("a listing in HTML", answer("<html>", kind="text/html"), "listing", 1, "where JSON was expected")
case("a listing that is cut off", answer('{"files": [{"path": "MLmodel"'), "listing", 1, "the text ends here")
case("a file that is a number", as_json({"files": [1]}), "listing", 1, "no proper path")
case("a file without a name", as_json({"files": [{}]}), "listing", 1, "no proper path")
case("a name that is null", as_json({"files": [{"path": None}]}), "listing", 1, "no proper path")
case("a folder that is perhaps one", as_json({"files": [{"path": "a", "is_dir": "yes"}]}),
     "listing", 1, "no proper is_dir")
case("a size below nothing", as_json({"files": [{"path": "a", "file_size": -1}]}),
     "listing", 1, "no proper file_size")
case("a size of halves", as_json({"files": [{"path": "a", "file_size": 1.5}]}), "listing", 1, "no proper file_size")
case("a size that is no number", answer('{"files": [{"path": "a", "file_size": NaN}]}'),
     "listing", 1, "no proper file_size")
case("a size that is a word", as_json({"files": [{"path": "a", "file_size": "big"}]}),
     "listing", 1, "no proper file_size")
case("a size of 1 GB", as_json({"files": [{"path": "a", "file_size": 1 << 30}]}), "listing", 2, "larger than 1 MiB")
case("a size of 1 GB, as a text", as_json({"files": [{"path": "a", "file_size": "1073741824"}]}),
     "listing", 2, "larger than 1 MiB")
case("a size of 64 bits", as_json({"files": [{"path": "a", "file_size": (1 << 63) - 1}]}),
     "listing", 2, "larger than 1 MiB")
case("a size beyond 64 bits", as_json({"files": [{"path": "a", "file_size": 1 << 70}]}),
     "listing", 1, "no proper file_size")
case("1,000 files of 1 MiB each",
     as_json({"files": [{"path": "f%d" % i, "file_size": 1 << 20} for i in range(1000)]}),
     "listing", 2, "larger than 1 MiB")
case("10,001 files", as_json({"files": [{"path": "f%d" % i} for i in range(10001)]}),
     "listing", 2, "more than 10000 files")
case("a listing in pages", as_json({"files": [{"path": "a"}], "next_page_token": "x"}), "listing", 2, "in pages")
case("folders in folders without end", as_json({"files": [{"path": "d", "is_dir": True}]}),
     "listing", 1, "could lie outside")
case("a file that comes twice", as_json({"files": [{"path": "MLmodel"}, {"path": "MLmodel"}]}),
     "listing", 1, "had listed it before")
case("no MLmodel among the files", as_json({"files": [{"path": "README"}]}), "listing", 2, "no MLflow model")
case("the name \"..\"", as_json({"files": [{"path": "MLmodel"}, {"path": ".."}]}), "listing", 1, "could lie outside")
case("the name \".\"", as_json({"files": [{"path": "MLmodel"}, {"path": "."}]}), "listing", 1, "could lie outside")
case("the name \"\"", as_json({"files": [{"path": "MLmodel"}, {"path": ""}]}), "listing", 1, "could lie outside")
case("the name \"/\"", as_json({"files": [{"path": "MLmodel"}, {"path": "/"}]}), "listing", 1, "could lie outside")
case("the name \"/etc/passwd\"", as_json({"files": [{"path": "MLmodel"}, {"path": "/etc/passwd"}]}),
     "listing", 1, "could lie outside")
case("the name \"../x\"", as_json({"files": [{"path": "MLmodel"}, {"path": "../x"}]}),
     "listing", 1, "could lie outside")
case("the name \"a/../../x\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a/../../x"}]}),
     "listing", 1, "could lie outside")
case("the name \"a/b\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a/b"}]}),
     "listing", 1, "could lie outside")
case("the name \"..\\\\\\\\x\"", as_json({"files": [{"path": "MLmodel"}, {"path": "..\\x"}]}),
     "listing", 1, "could lie outside")
case("the name \"a\\\\x01b\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a\x01b"}]}),
     "listing", 1, "could lie outside")
case("the name \"a\\\\nb\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a\nb"}]}),
     "listing", 1, "could lie outside")
case("the name \"a\\\\x00b\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a\x00b"}]}), "listing", 1, "NUL")
case("the name \"a\\\\x1b[2J\"", as_json({"files": [{"path": "MLmodel"}, {"path": "a\x1b[2J"}]}),
     "listing", 1, "could lie outside")
case("the name of 300 characters", as_json({"files": [{"path": "MLmodel"}, {"path": "x" * 300}]}),
     "listing", 1, "could lie outside")

# ---- a file
case("a file that is shorter than announced", answer(MLMODEL[:-1], kind="text/plain"), "file", 1, "instead of the 62")
case("a file that is longer than announced", answer(MLMODEL + b"#" * 10, kind="text/plain"),
     "file", 2, "larger than 63 bytes")
case("a file that ends early", answer(MLMODEL[:-10], 200, "text/plain", len(MLMODEL)), "file", 1, "ended early")
case("a file that claims 1 GB", answer(MLMODEL, 200, "text/plain", 1 << 30), "file", 2, "larger than 63 bytes")
case("a file that is not there", answer("gone", 404, "text/plain"), "file", 3, "MLmodel: not at the tracking server")
case("a file behind a redirect", answer("", 302, "text/html", None, "Location: file:///etc/passwd"),
     "file", 1, "redirect (302)")
case("a file that fails", answer("oops", 500, "text/plain"), "file", 1, "failed (500): oops")
case("HTML in place of a file", answer(b"<html>" + b" " * 56, kind="text/html"),
     "file", 2, "has no flavor python_function")
case("a file of zeros", answer(bytes(62), kind="text/plain"), "file", 2, "NUL")

# ---- what does not end: the deploy's own time is over, or the limit of what is taken is reached
OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
ENDLESS = [
    ("silence", silence, "version", 5, "did not answer within"),
    ("a byte now and then", drip, "version", 5, "did not answer within"),
    ("a header now and then", drip_headers, "version", 5, "did not answer within"),
    ("a claim of 1 GB, and silence", claim_and_silence, "version", 2, "larger than 4194304 bytes"),
    ("bytes without end", endless(OPEN + b"{", b" " * 65536), "version", 2, "larger than 4194304 bytes"),
    ("chunks without end", endless(CHUNKED, b"8000\r\n" + b" " * 0x8000 + b"\r\n"), "version", 2, "larger than"),
    ("headers without end", endless(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n" * 1000), "version", 2, "256 KiB"),
    ("interim answers without end", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "version", 2, "256 KiB"),
    ("a listing that does not come", silence, "listing", 5, "did not answer within"),
    ("a file that does not come", silence, "file", 5, "did not answer within"),
    ("a file that stops", drip, "file", 2, "larger than 63 bytes"),
    ("a file without end", endless(OPEN, b"x" * 65536), "file", 2, "larger than 63 bytes"),
]


class BadRegistries(bad_input.BadInputCase):
    def setUp(self):
        super().setUp()
        self.server = LyingServer()
        self.addCleanup(self.server.stop)
        self.home.run("model-deployer", "register", "reg", "--flavor=mlflow", "--python", bad_input.STAND_IN,
                      "--tracking-uri", self.server.uri, "--max-model-mib", "1")
        # What a model that is fetched leaves: the folder of the back end and the model, once.
        self.deploy()
        self.home.run("served-models", "delete", self.uuid())
        self.before = self.everything()

    def deploy(self, *args):
        self.home.run("deploy", "models:/iris/1", "--deployer", "reg", "--model-name", "digits", "--min-ready", "0",
                      *args)

    def refuses_answer(self, name, place, said, status, *words, options=()):
        self.server.lies = {place: said}
        text = self.refuses(["deploy", "models:/iris/1", "--deployer", "reg", "--model-name", "digits", *options],
                            status, *words)
        self.assertTrue(self.server.uri.split("//")[1] in text or "iris" in text, text)

    def test_each_is_refused(self):
        self.assertEqual(len({name for name, *_ in CASES}), len(CASES))
        for name, said, place, status, words in CASES:
            with self.subTest(name):
                self.refuses_answer(name, place, said, status, *words)
        print("\nmeasured: %d malformed answers of a tracking server" % len(CASES))
        self.server.lies = {}
        self.deploy("--dry-run")  # and the good ones are still taken

    def test_what_does_not_end(self):
        for name, said, place, status, word in ENDLESS:
            with self.subTest(name):
                self.refuses_answer(name, place, said, status, word,
                                    options=("--timeout", "1500ms" if status == 5 else "60s"))


if __name__ == "__main__":
    unittest.main()
