"""Time to the first ready: `ctcd deploy` against the same server started by hand, in turns. On a quiet machine ten
pairs, and at most 1.1 times as long (the medians); in `make check` three, and a bound that holds under load."""

import os
import socket
import statistics
import subprocess
import time
import urllib.request

import support
from rig import MlflowCase, Models

QUIET = bool(os.environ.get("TEST_QUIET"))
PAIRS = 10 if QUIET else 3
MOST = 1.1 if QUIET else 2.0

models = None


def setUpModule():
    global models
    models = Models()


def tearDownModule():
    models.remove()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Ready(MlflowCase):
    def by_hand(self):
        port = free_port()
        begun = time.monotonic()
        with open(os.path.join(self.home.folder, "log"), "wb") as log:
            server = subprocess.Popen(
                [support.PYTHON, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                 "mlflow.pyfunc.scoring_server.app:app"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.home.folder,
                env=dict(self.home.env, __pyfunc_model_path__=models["good_2"]))
        try:
            self.assertTrue(support.wait_for(lambda: self.pings(port)), "it did not become ready")
            return time.monotonic() - begun
        finally:
            server.terminate()
            server.wait(support.SAFETY)

    @staticmethod
    def pings(port):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    "http://127.0.0.1:%d/ping" % port, timeout=support.SAFETY) as answer:
                return answer.status == 200
        except OSError:
            return False

    def by_ctcd(self):
        begun = time.monotonic()
        self.deploy(models["good_2"], "--min-ready", "0")
        took = time.monotonic() - begun
        self.home.run("served-models", "delete", self.service()["uuid"])
        return took

    def test_time_to_first_ready(self):
        self.by_hand()  # the files are read once before anything is measured
        hand, ours = [], []
        for pair in range(PAIRS):
            if pair % 2:
                ours.append(self.by_ctcd())
                hand.append(self.by_hand())
            else:
                hand.append(self.by_hand())
                ours.append(self.by_ctcd())
        ratio = statistics.median(ours) / statistics.median(hand)
        print("\nmeasured: first ready after %.2f s, by hand %.2f s: %.2f times (medians of %d pairs)" % (
            statistics.median(ours), statistics.median(hand), ratio, PAIRS))
        self.assertLessEqual(ratio, MOST, (ours, hand))
