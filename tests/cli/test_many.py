"""A hundred served models: `served-models list` asks all of them at once, ends by its deadline whoever is
silent, and says of each what is so. Prints what it measured; the bounds that a machine with other work
cannot hold are asserted by `make check-quiet`."""

import os
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from stand_in import StandInCase

import support

QUIET = bool(os.environ.get("TEST_QUIET"))  # nothing else runs on this machine
COUNT, DEAD, SILENT = 100, 25, 25
ROUNDS = 20
DEADLINE_MS = 1000


class Many(StandInCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.delete_all)
        models = [self.model(i) for i in range(COUNT)]
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.deploy(models[i], name="model%d" % i), range(COUNT)))
        print("\nmeasured: %d models deployed in %.1f s" % (COUNT, time.monotonic() - begun))

    def delete_all(self):
        """Side by side, or it would take as long as the rest."""
        names = self.home.run("served-models", "list", "--output", "name").out.split()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda uuid: self.home.run("served-models", "delete", "--force", uuid), names))

    def list_json(self, status=0):
        return self.home.json("served-models", "list", "--timeout", "%dms" % DEADLINE_MS, status=status)

    def times(self, what, status=0):
        """Milliseconds from the start of the command to its end, sorted."""
        times = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            self.home.run("served-models", "list", "--timeout", "%dms" % DEADLINE_MS, status=status)
            times.append(1000 * (time.monotonic() - begun))
        times.sort()
        print("\nmeasured: %s: median of %d %.1f ms, %.1f to %.1f" % (
            what, ROUNDS, statistics.median(times), times[0], times[-1]))
        return times

    def test_a_hundred(self):
        services = self.list_json()
        self.assertEqual([s["state"] for s in services], ["active"] * COUNT)
        times = self.times("all answer")
        self.assertLess(times[0], 400)
        if QUIET:
            self.assertLess(statistics.median(times), 40)

        silent, dead = services[:SILENT], services[SILENT:SILENT + DEAD]
        for service in silent:
            self.home.file(os.path.join(service["model_uri"].replace("file://", ""), "behaviour"),
                           "silent\n")
        for service in dead:
            os.kill(int(service["properties"]["DAEMON_PID"]), signal.SIGKILL)
        self.assertTrue(support.wait_for(lambda: sum(
            s["state"] == "error" for s in self.list_json(status=7)) == DEAD))

        times = self.times("%d answer, %d are dead, %d silent" % (COUNT - DEAD - SILENT, DEAD, SILENT), 7)
        self.assertLess(times[0], DEADLINE_MS + 500)
        if QUIET:
            self.assertLess(statistics.median(times), DEADLINE_MS + 50)
        now = {s["uuid"]: s for s in self.list_json(status=7)}
        self.assertEqual(len(now), COUNT)
        for service in silent:
            self.assertEqual(now.pop(service["uuid"])["state"], "unknown")
        for service in dead:
            seen = now.pop(service["uuid"])
            self.assertEqual(seen["state"], "error")
            self.assertIn("signal 9", seen["last_error"])
        for seen in now.values():
            self.assertEqual((seen["state"], seen["last_error"]), ("active", ""))
        said = self.home.run("served-models", "list", "--timeout", "%dms" % DEADLINE_MS, status=7)
        self.assertIn("%d served models of ml could not be asked" % SILENT, said.err)


if __name__ == "__main__":
    support.unittest.main()
