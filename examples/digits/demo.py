"""Continuous training and continuous deployment of a real model, in about two minutes: `make demo`.

A schedule fires the digits pipeline four times, every 15 seconds, each time on more images. While its
runs train, decide and replace the served model, a client asks for predictions all the time.

    SEED=n    draws other held-out images (default 1)
    SPOIL=k   the k-th batch has spoilt labels, so the k-th model must be rejected (default 3, 0 = none)
    KEEP=1    leaves the model served and the home in place at the end
    SOURCE=registry    puts an MLflow tracking server between training and serving: models are fetched
              from its registry, whose alias "champion" follows what is served

The last line says how the runs were decided. Exit status 0: all that this program promises was seen.
"""

import datetime
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from check import predict
from data import BATCH_SECONDS, HELD_OUT, held_out
from tracking import Server

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 4
TARGET = 0.90
SHADES = " .:-=+*#%@"
PATIENCE = 60.0  # seconds for which the client tries to get one answer


class Home:
    """The command ctcd with a home of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ctcd-digits.")
        # The pipeline's python3 is the one that runs this: it has MLflow and scikit-learn.
        self.env = dict(os.environ, CTCD_HOME=self.folder, PYTHONDONTWRITEBYTECODE="1",
                        XDG_CONFIG_HOME=self.folder,  # where MLflow would keep an id of the machine
                        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))

    def ctcd(self, *args):
        """Shows the command and runs it."""
        print("$ ctcd " + " ".join(args), flush=True)
        subprocess.run(["ctcd", *args], env=self.env, check=True)

    def ask(self, *args):
        """What it says with -o json."""
        answer = subprocess.run(["ctcd", *args, "-o", "json"], env=self.env, check=True,
                                stdout=subprocess.PIPE)
        return json.loads(answer.stdout)

    def service(self):
        """The served model, or None as long as there is none that has answered."""
        for service in self.ask("served-models", "list"):
            if service["revision"]:
                return service
        return None

    def remove(self):
        """Deletes what is served, and the home."""
        services = subprocess.run(["ctcd", "served-models", "list", "-o", "name"], env=self.env,
                                  stdout=subprocess.PIPE, encoding="utf-8").stdout.split()
        for uuid in services:
            subprocess.run(["ctcd", "served-models", "delete", uuid], env=self.env, check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Client(threading.Thread):
    """A user of the service: from the first deployment on it asks for one held-out image after the
    other. A served model's port changes when it is replaced; the client then looks up the new one."""

    def __init__(self, home, seed):
        super().__init__(daemon=True)
        self.home = home
        self.images, self.labels = held_out(seed)
        self.service = None
        self.looked = 0.0
        self.asked = self.right = 0
        self.unanswered = []
        self.answered = {}  # {name of the run whose model answered: how often}
        self.stopping = threading.Event()

    def look(self):
        try:
            self.service = self.home.service() or self.service
        except subprocess.CalledProcessError:
            pass  # it could not be asked; where the service was before is as good as any guess
        self.looked = time.monotonic()

    def run(self):
        while not self.stopping.is_set():
            if time.monotonic() - self.looked > 1.0:
                self.look()
            if self.service:
                self.ask_one(self.asked % len(self.labels))
            self.stopping.wait(0.05)

    def ask_one(self, index):
        self.asked += 1
        end = time.monotonic() + PATIENCE
        while True:
            service = self.service
            try:
                digit = predict(service["prediction_url"], self.images[index:index + 1])[0]
                break
            except (OSError, http.client.HTTPException) as e:  # the moment of a switch: the next try goes to where it is now
                if time.monotonic() > end:
                    self.unanswered.append(repr(e))
                    return
                self.look()
        self.answered[service["pipeline_run_id"]] = self.answered.get(service["pipeline_run_id"], 0) + 1
        self.right += int(digit == self.labels[index])

    def stop(self):
        self.stopping.set()
        self.join()


# ---- telling ------------------------------------------------------------------------------------
def headline(text):
    print("\n== " + text, flush=True)


def grid(images, predicted, labels):
    """Images side by side, with what was predicted and what is true below each."""
    rows = ["  ".join("".join(SHADES[int(pixel) * (len(SHADES) - 1) // 16] for pixel in line)
                      for line in picture).rstrip()
            for picture in zip(*[image.reshape(8, 8) for image in images])]
    cells = ["{} for {}{}".format(p, l, "" if p == l else " !") for p, l in zip(predicted, labels)]
    return "\n".join(rows + ["  ".join(cell.center(8) for cell in cells).rstrip()])


def decision_of(run):
    for step in run["steps"]:
        if step.get("decision"):
            return step["decision"]
    return {"verdict": "none", "reasons": ["the run did not come to a decision"]}


def accuracy_of(run):
    for step in run["steps"]:
        if step["name"] == "train":
            return (step.get("outputs") or {}).get("accuracy")
    return None


def tell_runs(runs, client, spoil):
    for number, run in enumerate(runs, 1):
        decision = decision_of(run)
        accuracy = accuracy_of(run)
        print("run {}  {}  {}\n       accuracy {}  ->  {}{}".format(
            number, run["name"], run["status"], "-" if accuracy is None else "%.3f" % accuracy,
            decision["verdict"], "".join("\n       {:6}  {}".format(reason["weight"], reason["text"])
                                        for reason in decision["reasons"])))
        if number == spoil:
            print("       The labels of batch {} were spoilt on purpose (SPOIL={}): each image had its\n"
                  "       neighbour's label, so this model learnt wrong digits and must not be served."
                  .format(spoil, spoil))
        print("       its model answered {} requests".format(client.answered.get(run["name"], 0)))


def tell_predictions(service, seed):
    """-> share of the held-out images that the served model gets right."""
    images, labels = held_out(seed)
    predicted = [int(digit) for digit in predict(service["prediction_url"], images)]
    wrong = [i for i in range(len(labels)) if predicted[i] != labels[i]]
    shown = list(range(7)) + wrong[:1]
    print(grid(images[shown], [predicted[i] for i in shown], [int(labels[i]) for i in shown]))
    right = 1 - len(wrong) / len(labels)
    print("{} of {} held-out images are predicted right: {:.1%}".format(
        len(labels) - len(wrong), len(labels), right))
    return right


# ---- doing --------------------------------------------------------------------------------------
def start_registry(home):
    """-> the tracking server, from an environment of its own: $SERVER_VENV, or the models' with -server."""
    headline("an MLflow tracking server with a model registry")
    venv = os.environ.get("SERVER_VENV") or os.path.dirname(os.path.dirname(sys.executable)) + "-server"
    server = Server(os.path.join(venv, "bin", "python"), os.path.join(home.folder, "tracking"))
    print("it answers at " + server.uri)
    return server


def set_up(home, seed, spoil, registry):
    headline("a stack with MLflow as its model deployer, and the pipeline's schedule")
    home.ctcd("model-deployer", "register", "mlflow", "--type=mlflow", "--python=" + sys.executable,
              *(["--tracking-uri=" + registry.uri] if registry else []))
    home.ctcd("stack", "register", "digits", "-m", "default", "-a", "default", "-o", "default",
              "-d", "mlflow")
    home.ctcd("stack", "set", "digits")
    start = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    home.ctcd("schedule", "create", os.path.join(HERE, "registry.yaml" if registry else "pipeline.yaml"),
              "--param", "seed=%d" % seed, "--param", "spoil=%d" % spoil, "--param", "start=" + start,
              *(["--param", "tracking=" + registry.uri] if registry else []))


def fire(home, client):
    """The daemon, until the schedule has ended and its last run, too."""
    headline("{} runs, one every {} s; a client asks for predictions meanwhile".format(
        RUNS, BATCH_SECONDS))
    print("$ ctcd daemon --until-idle", flush=True)
    client.start()
    daemon = subprocess.Popen(["ctcd", "daemon", "--until-idle"], env=home.env)
    try:
        status = daemon.wait()
    except BaseException:
        client.stopping.set()
        daemon.terminate()
        daemon.wait()
        raise
    client.stop()
    if status:
        raise SystemExit("the daemon ended with exit status %d" % status)


def report(home, client, seed, spoil, registry):
    """-> (verdicts, what was promised and not seen)"""
    headline("what was decided, and why")
    names = [run["name"] for run in sorted(home.ask("run", "list"), key=lambda run: run["nominal_ms"])]
    runs = [home.ask("run", "describe", name) for name in names]
    tell_runs(runs, client, spoil)
    headline("what is served now")
    home.ctcd("served-models", "list")
    service = home.service()
    if not service:
        return [decision_of(run)["verdict"] for run in runs], ["nothing is served"]
    home.ctcd("served-models", "describe", service["uuid"])
    headline("predictions beside the truth (\"7 for 7\": predicted 7, and it is one)")
    right = tell_predictions(service, seed)
    print("the client asked {} times: {} unanswered, {:.1%} answered right".format(
        client.asked, len(client.unanswered), client.right / max(1, client.asked)))

    problems = ["unanswered: " + what for what in client.unanswered[:5]]
    if len(runs) != RUNS:
        problems.append("%d runs instead of %d" % (len(runs), RUNS))
    problems += ["run %s: %s" % (run["name"], run["status"]) for run in runs
                 if run["status"] != "completed"]
    problems += ["the rejected model of %s answered" % run["name"] for run in runs
                 if decision_of(run)["verdict"] != "promote" and client.answered.get(run["name"])]
    if registry:
        problems += tell_registry(home, registry, runs, service, seed)
    if right < TARGET:
        problems.append("less than {:.0%} of the held-out images are predicted right".format(TARGET))
    return [decision_of(run)["verdict"] for run in runs], problems


def version_of(run):
    for step in run["steps"]:
        if step["name"] == "train":
            return int((step.get("outputs") or {}).get("version") or 0)
    return 0


def tell_registry(home, registry, runs, service, seed):
    """What the registry says afterwards. -> what was promised and not seen"""
    headline("what the registry says")
    problems = []
    revision = 0
    champion = registry.version_of("digits", "champion")
    for run in runs:
        version = version_of(run)
        tags = registry.tags_of("digits", version)
        promoted = decision_of(run)["verdict"] == "promote"
        revision += promoted
        print("version {}  {}  {}{}".format(version, decision_of(run)["verdict"], " ".join(
            "%s=%s" % item for item in sorted(tags.items())), "  <- champion" if version == champion else ""))
        wanted = {"ctcd.service": service["uuid"], "ctcd.revision": str(revision)} if promoted else {}
        if {key: value for key, value in tags.items() if key.startswith("ctcd.")} != wanted:
            problems.append("version %s has the tags %s instead of %s" % (version, tags, wanted))
    serves = [version_of(run) for run in runs if decision_of(run)["verdict"] == "promote"][-1:]
    if [champion] != serves:
        problems.append("champion is version %s, and version %s serves" % (champion, serves))
    headline("whoever goes by the alias gets the same model")
    home.ctcd("deploy", "models:/digits@champion", "--model-name", "digits-by-alias")
    other = [s for s in home.ask("served-models", "list") if s["model_name"] == "digits-by-alias"][0]
    images, _ = held_out(seed)
    same = predict(other["prediction_url"], images) == predict(service["prediction_url"], images)
    print("both services say the same of {} held-out images: {}".format(len(images), "yes" if same else "NO"))
    if not same:
        problems.append("models:/digits@champion is another model than the one that serves")
    return problems


def number_from(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        raise SystemExit("%s must be a number from %d to %d, not \"%s\"" % (name, least, most, text))
    return int(text)


def stop(signum, frame):
    raise SystemExit(128 + signum)


def main():
    seed = number_from("SEED", 1, 0, 2**32 - 1)
    spoil = number_from("SPOIL", 3, 0, RUNS)
    keep = os.environ.get("KEEP") == "1"
    source = os.environ.get("SOURCE") or "folder"
    if source not in ("folder", "registry"):
        raise SystemExit("SOURCE must be folder or registry, not \"%s\"" % source)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print("{} of 1,797 handwritten digits are held out (SEED={}); the others arrive in batches.\n"
          "{}".format(HELD_OUT, seed, "The labels of batch %d are spoilt (SPOIL=%d)." % (spoil, spoil)
                      if spoil else "No labels are spoilt (SPOIL=0)."))
    home = Home()
    registry = None
    done = False
    try:
        registry = start_registry(home) if source == "registry" else None
        set_up(home, seed, spoil, registry)
        client = Client(home, seed)
        fire(home, client)
        verdicts, problems = report(home, client, seed, spoil, registry)
        done = True
    finally:
        if registry:
            registry.stop()
        if keep and done:
            headline("kept (KEEP=1)")
            print("export CTCD_HOME={}\n`ctcd served-models list` shows it, `ctcd served-models delete "
                  "UUID` ends it.".format(home.folder))
        else:
            home.remove()
    if not keep:
        headline("the served model is deleted, nothing is left running (KEEP=1 would leave it)")
    for problem in problems:
        print("PROBLEM: " + problem)
    print("verdicts: " + ", ".join(verdicts), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
