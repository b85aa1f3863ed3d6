"""An MLflow tracking server of our own, on a free port of this machine, for `make demo SOURCE=registry` and
for the tests; and the few questions that both ask it."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

START = 120.0  # seconds until it must answer, on a busy machine

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """python: one that has the whole of MLflow. What it keeps is below folder; its log is folder/log.
    options, settings: more of its command line and of its environment. opener: asks it, where that takes more
    than a request."""

    def __init__(self, python, folder, env=None, options=(), settings=None, scheme="http", opener=_direct):
        self.folder = folder
        self.options = list(options)
        self.opener = opener
        self.process = None
        os.makedirs(folder)
        self.env = {name: value for name, value in (env or os.environ).items()
                    if not name.startswith(("MLFLOW_", "CTCD_"))}
        self.env.update(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", MLFLOW_DISABLE_TELEMETRY="true",
                        DO_NOT_TRACK="true", XDG_CONFIG_HOME=folder,  # it keeps an id of the machine there
                        PATH=os.path.dirname(python) + os.pathsep + os.environ["PATH"])
        self.env.update(settings or {})
        for _ in range(3):  # another program may be faster in taking the port
            self.port = free_port()
            self.uri = "%s://127.0.0.1:%d" % (scheme, self.port)
            self.start(python)
            if self.wait():
                return
            self.stop()
        raise RuntimeError("the tracking server does not start; its log ends:\n" + self.log())

    def start(self, python):
        argv = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                "--workers", "1", "--backend-store-uri", "sqlite:///" + os.path.join(self.folder, "db"),
                "--artifacts-destination", os.path.join(self.folder, "artifacts"), "--serve-artifacts"]
        argv += self.options
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, env=self.env, cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)

    def wait(self):
        end = time.monotonic() + START
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with self.opener.open(self.uri + "/health", timeout=5):
                    return True
            except OSError:
                time.sleep(0.1)
        return False

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-30:])

    def stop(self):
        """It and all that it has started."""
        if self.process:
            for number, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
                try:
                    os.killpg(self.process.pid, number)
                    self.process.wait(patience)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
            self.process = None

    # ---- what it knows --------------------------------------------------------------------------
    def ask(self, path, **query):
        url = "%s/api/2.0/mlflow/%s?%s" % (self.uri, path, urllib.parse.urlencode(query))
        with self.opener.open(url, timeout=60) as answer:
            return json.load(answer)

    def version_of(self, name, alias):
        """Number of the version that has the alias."""
        return int(self.ask("registered-models/alias", name=name, alias=alias)["model_version"]["version"])

    def tags_of(self, name, version):
        version = self.ask("model-versions/get", name=name, version=version)["model_version"]
        return {tag["key"]: tag["value"] for tag in version.get("tags", [])}
