"""What the Python suites (tests/cli, tests/rig) share: a fresh home in a temporary folder, the command
run in it, waiting without sleeping blindly, and the proof that a test left nothing behind.

    class Something(support.HomeCase):
        def test_it(self):
            self.home.run("stack", "list")                            # must succeed
            failed = self.home.run("stack", "set", "nosuch", status=3)

tools/run-suites says where things are; run by hand, the checkout's own build folder is taken.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid

SOURCE = os.environ.get("TEST_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("TEST_BUILD") or os.environ.get("CTCD_BUILD") or os.path.join(SOURCE, "build")
PYTHON = os.environ.get("TEST_PYTHON") or os.path.join(SOURCE, "build", "venv", "bin", "python")
CTCD = os.path.join(BUILD, "ctcd")
CTCD_TEST = os.path.join(BUILD, "test", "ctcd")  # of a test build: its clock can be injected
SAFETY = 120.0  # seconds that anything at all may take on a busy machine before it counts as hanging
MARK = "TEST_HOME_MARK"

# Requests of tests go to this machine only, and never to a proxy.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Result:
    """One call of the command: exit status, standard output, standard error."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise AssertionError("not JSON (%s):\n%s" % (e, self)) from None

    def __str__(self):
        return "$ %s\n%s%s[exit status %s]" % (" ".join(self.argv), self.out, self.err, self.status)


class Clock:
    """The clock of a test build's processes (lib/io/clock.c): it stands still until it is moved. Milliseconds;
    `wall` is since 1970, `mono` since whenever."""

    def __init__(self, path, wall=1767225600000, mono=1000000):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self.wall, self.mono = wall, mono
        self.move(0, 0)

    def move(self, wall, mono=None):
        """Both go on by so many milliseconds; with two numbers, each by its own, also backwards."""
        with self._lock:
            self.wall += wall
            self.mono += wall if mono is None else mono
            os.pwrite(self._fd, struct.pack("<qq", self.wall, self.mono), 0)

    def to(self, wall):
        self.move(wall - self.wall)

    def tick(self):
        """From now on the monotonic one goes as time goes, for what polls; the wall clock is still held."""
        def run():
            last = time.monotonic()
            while not self._stop.wait(0.01):
                now = time.monotonic()
                self.move(0, int((now - last) * 1000))
                last += int((now - last) * 1000) / 1000
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def close(self):
        self._stop.set()
        if self._thread:
            self._thread.join()
        os.close(self._fd)


class Home:
    """A fresh home. Every process that is started in it, also by others, carries a mark of its own."""

    def __init__(self, ctcd=None, blank=False):
        self.ctcd = ctcd or CTCD
        self.mark = uuid.uuid4().hex
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="a home." if blank else "home."))
        self.path = os.path.join(self.folder, "ctcd")
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder,
                    "TMPDIR": self.folder, "LC_ALL": "C.UTF-8", "CTCD_HOME": self.path,
                    MARK: self.mark, "PYTHONDONTWRITEBYTECODE": "1",
                    "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
        for name in ("TEST_MARK", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.started = []

    # ---- the command --------------------------------------------------------------------------
    def call(self, *args, stdin=None, timeout=SAFETY, env=None, cwd=None):
        """Runs it to its end, whatever its exit status."""
        argv = [self.ctcd] + [str(a) for a in args]
        given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        try:
            done = subprocess.run(argv, env=dict(self.env, **(env or {})), cwd=cwd or self.folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                                  encoding="utf-8", errors="replace", **given)
        except subprocess.TimeoutExpired as e:
            raise AssertionError("did not end within %g s: %s\n%s\n%s" % (
                timeout, " ".join(argv), e.stdout or "", e.stderr or "")) from None
        return Result(["ctcd"] + argv[1:], done.returncode, done.stdout, done.stderr)

    def run(self, *args, status=0, **how):
        """Runs it and insists on the exit status."""
        result = self.call(*args, **how)
        if result.status != status:
            raise AssertionError("exit status %d was expected\n%s" % (status, result))
        return result

    def json(self, *args, **how):
        return self.run(*args, "--output", "json", **how).json

    def start(self, *args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=None, cwd=None):
        """Starts it and returns the process; close() ends it where the test did not."""
        process = subprocess.Popen([self.ctcd] + [str(a) for a in args], cwd=cwd or self.folder,
                                   env=dict(self.env, **(env or {})), stdin=subprocess.DEVNULL,
                                   stdout=stdout, stderr=stderr)
        self.started.append(process)
        return process

    def file(self, name, text):
        """Writes a file beside the home and returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    # ---- what runs ----------------------------------------------------------------------------
    def processes(self):
        """{id: command line} of every living process that was started in this home."""
        return marked_processes(self.mark)

    def ports(self):
        """TCP ports of this machine that those processes listen on."""
        return listening_ports(self.processes())

    def left(self):
        """What is still there though nothing should be, in words; waits a little for ends under way."""
        wait_for(lambda: not self.processes(), 15.0)
        ports = self.ports()
        return (["process %d: %s" % item for item in sorted(self.processes().items())]
                + ["port %d" % port for port in sorted(ports)])

    def close(self):
        """Ends what was started, kills what is left, removes the folder; -> what was left."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = self.left()
        kill_marked(self.mark)
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.path.exists(self.folder):
            left.append("folder " + self.folder)
        return left


class HomeCase(unittest.TestCase):
    """A test with a fresh home. It fails where it leaves a process or a port; served models that a test
    does not delete itself are deleted here, by the command."""

    maxDiff = None
    ctcd = None           # the program; None = build/ctcd
    home_in_a_blank = False  # in a folder with a blank in its name

    def setUp(self):
        self.home = Home(self.ctcd, self.home_in_a_blank)
        self.addCleanup(self.close_home)

    def close_home(self):
        problems = []
        for process in self.home.started:  # a daemon would go on deploying
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    problems.append("did not end within 30 s of SIGTERM: %s" % process.args)
        if os.path.isdir(self.home.path):
            try:
                for name in self.home.run("served-models", "list", "--output", "name").out.split():
                    self.home.run("served-models", "delete", name)
            except AssertionError as e:
                problems.append(str(e))
        problems += ["left behind: " + what for what in self.home.close()]
        if problems:
            self.fail("\n".join(problems))


# ---- processes ----------------------------------------------------------------------------------
def _environ(pid):
    with open("/proc/%d/environ" % pid, "rb") as f:
        return f.read().split(b"\0")


def _state(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        return f.read().rpartition(b")")[2].split()[0]


def marked_processes(mark):
    needle = ("%s=%s" % (MARK, mark)).encode()
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if needle in _environ(int(entry)) and _state(int(entry)) not in (b"Z", b"X"):
                    with open("/proc/%s/cmdline" % entry, "rb") as f:
                        found[int(entry)] = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                pass  # gone meanwhile, or somebody else's
    return found


def kill_marked(mark):
    for _ in range(100):  # a process that is killed may just have started another one
        pids = marked_processes(mark)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.02)


def listening_ports(pids):
    inodes = set()
    for pid in pids:
        try:
            for fd in os.listdir("/proc/%d/fd" % pid):
                match = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                if match:
                    inodes.add(match.group(1))
        except OSError:
            pass
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as f:
                for line in f.readlines()[1:]:
                    words = line.split()
                    if words[3] == "0A" and words[9] in inodes:
                        ports.add(int(words[1].rpartition(":")[2], 16))
        except OSError:
            pass
    return ports


def wait_for(condition, seconds=SAFETY):
    """Asks until it is true, or for so many seconds; -> the last answer. For what announces itself in
    no other way; the limit is a safety net, not a measurement."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(0.02)


# ---- HTTP ---------------------------------------------------------------------------------------
def post(url, body, timeout=SAFETY):
    """Sends JSON and returns (status, parsed answer); an error of the connection raises OSError."""
    request = urllib.request.Request(url, json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    try:
        with _direct.open(request, timeout=timeout) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(errors="replace")


def refuses(url):
    """Does nobody listen at that URL's port?"""
    host, _, port = url.split("/")[2].partition(":")
    try:
        socket.create_connection((host, int(port)), 10).close()
        return False
    except ConnectionRefusedError:
        return True


class Asking:
    """Asks one URL the same thing, again and again from a thread of its own, while the block runs:

        with support.Asking(url, body) as asking:
            ...
        asking.sent      # how many requests, each on a connection of its own
        asking.answers   # {answer as JSON text: how often}
        asking.failures  # what went wrong, in words
    """

    def __init__(self, url, body, pause=0.02):
        self.url, self.body, self.pause = url, body, pause
        self.sent, self.answers, self.failures = 0, {}, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join(SAFETY)

    def answered(self):
        return sum(self.answers.values())

    def one(self):
        """One request: -> status, answer. May be another way of asking in a class below."""
        return post(self.url, self.body)

    def _ask(self):
        while not self._stop.is_set():
            self.sent += 1
            try:
                status, answer = self.one()
                if status == 200:
                    text = json.dumps(answer)
                    self.answers[text] = self.answers.get(text, 0) + 1
                else:
                    self.failures.append("status %s: %s" % (status, answer))
            except OSError as e:
                self.failures.append(repr(e))
            self._stop.wait(self.pause)
