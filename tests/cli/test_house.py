"""Keeping house: pipelines that cannot be read any more, doctor, backup and restore, gc."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

PIPELINE = """\
pipeline: %s
steps:
  s:
    command: [sh, -c, 'echo "{\\"n\\": 1}" >"$CTCD_OUTPUTS"']
    outputs: [n]
"""


class House(StandInCase):
    def store(self, *statements):
        """Changes the store behind the library's back."""
        db = sqlite3.connect(os.path.join(self.home.path, "ctcd.db"))
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()
        db.close()

    def pipeline(self, name):
        return self.home.file(name + ".yaml", PIPELINE % name)


class Pipelines(House):
    def test_one_that_cannot_be_read_is_listed(self):
        for name in ("bad", "good"):
            self.home.run("pipeline", "run", self.pipeline(name))
        kept = json.dumps({"source": "pipeline: bad\nsteps: {s: {comand: [x]}}\n", "folder": "/"})
        self.store(("UPDATE pipelines SET spec = ? WHERE name = 'bad'", (kept,)))
        lines = self.home.run("pipeline", "list").out.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "STEPS", "PROBLEM"])
        self.assertRegex(lines[1], r'^bad +- +bad:2:\d+: the step "s" must')
        self.assertEqual(lines[2].split(), ["good", "1", "-"])
        bad, good = self.home.json("pipeline", "list")
        self.assertEqual((bad["pipeline"], sorted(bad)), ("bad", ["pipeline", "problem"]))
        self.assertEqual((good["pipeline"], "problem" in good), ("good", False))
        self.assertEqual(self.home.run("pipeline", "list", "-o", "name").out, "bad\ngood\n")
        self.store("UPDATE pipelines SET spec = 'no JSON' WHERE name = 'bad'")
        self.assertIn("problem", self.home.json("pipeline", "list")[0])


class Doctor(House):
    def doctor(self, *args, status=1):
        return self.home.run("doctor", *args, "-o", "json", status=status).json

    def fixed(self, *kinds):
        """--fix mends exactly these, and then the home is healthy."""
        found = self.doctor("--fix", status=0)
        self.assertEqual([f["kind"] for f in found], list(kinds), found)
        self.assertTrue(all(f["fixed"] and f["fixable"] and not f["next"] for f in found), found)
        self.assertEqual(self.doctor(status=0), [])

    def value(self, sql, *values):
        db = sqlite3.connect(os.path.join(self.home.path, "ctcd.db"))
        row = db.execute(sql, values).fetchone()
        db.close()
        return row and row[0]

    def kill(self, process):
        process.kill()
        process.wait()

    def servers(self):
        return [c for c in self.home.processes().values() if "stand-in" in c and "ctcd-shim" not in c]

    def interrupted(self, phase, *argv):
        """The command dies in this phase of its operation, when its server has begun."""
        count = len(self.servers())
        process = self.home.start(*argv)
        support.wait_for(lambda: len(self.servers()) == count + 1)
        support.wait_for(lambda: self.value("SELECT 1 FROM operations WHERE open AND phase = ?", phase))
        self.kill(process)

    def test_healthy(self):
        self.assertEqual(self.home.run("doctor").out, "The home is healthy.\n")
        self.deploy(self.model())
        self.home.run("pipeline", "run", self.pipeline("p"))
        self.assertEqual(self.doctor(status=0), [])
        self.assertEqual(self.doctor("--fix", status=0), [])
        self.home.run("served-models", "stop", self.uuid())
        self.assertEqual(self.doctor(status=0), [])

    def test_no_home(self):
        path = os.path.join(self.home.folder, "other")
        self.home.run("doctor", "--home", path, status=3)
        self.home.run("doctor", "--fix", status=3, env={"CTCD_HOME": "", "XDG_STATE_HOME": path})
        self.assertFalse(os.path.exists(path))

    def test_permissions(self):
        self.deploy(self.model())
        log = os.path.join(self.home.path, "services", self.uuid(), "r1", "log")
        store = os.path.join(self.home.path, "ctcd.db")
        for path, mode in ((self.home.path, 0o755), (store, 0o644), (log, 0o666)):
            os.chmod(path, mode)
        found = self.doctor()
        self.assertEqual([(f["kind"], f["where"], f["severity"], f["fixed"]) for f in found],
                         [("permissions", self.home.path, "warning", False),
                          ("permissions", store, "warning", False), ("permissions", log, "error", False)])
        modes = lambda: [stat.S_IMODE(os.stat(p).st_mode) for p in (self.home.path, store, log)]
        self.assertEqual(modes(), [0o755, 0o644, 0o666], "nothing is changed without --fix")
        self.fixed("permissions", "permissions", "permissions")
        self.assertEqual(modes(), [0o700, 0o600, 0o600])
        os.chmod(self.home.path, 0o777)
        self.assertEqual([f["severity"] for f in self.doctor()], ["error"], "the store is not opened then")
        self.fixed("permissions")

    def test_store(self):
        store = os.path.join(self.home.path, "ctcd.db")
        self.store("PRAGMA foreign_keys = OFF", "INSERT INTO stack_components VALUES (99, 'orchestrator', 'default')")
        (found,) = self.doctor()
        self.assertEqual((found["kind"], found["where"], found["fixable"]), ("store", store, False))
        self.assertIn("stack_components", found["message"])
        self.assertIn("backup", found["next"])
        self.doctor("--fix")
        self.store("DELETE FROM stack_components WHERE stack_id = 99", "PRAGMA user_version = 99")
        (found,) = self.doctor()
        self.assertEqual(found["kind"], "schema")
        self.store("PRAGMA user_version = %d" % self.version, "CREATE TABLE holes (x)", "CREATE INDEX hole ON holes (x)",
                   "PRAGMA writable_schema = ON", "DELETE FROM sqlite_schema WHERE name = 'hole'")
        (found,) = self.doctor()
        self.assertIn("never used", found["message"])

    def setUp(self):
        super().setUp()
        self.version = self.value("PRAGMA user_version")

    def test_a_deploy_that_died_over_an_incumbent_is_undone(self):
        self.deploy(self.model(1))
        self.interrupted("starting", "deploy", self.model(2, "ready-after 600000"), "--model-name", "digits")
        before = self.home.processes()
        (found,) = self.doctor()
        self.assertEqual((found["kind"], found["where"]), ("operation", self.uuid()))
        self.assertEqual(self.home.processes(), before, "nothing is changed without --fix")
        self.fixed("operation")
        (service,) = self.services()
        self.assertEqual((service["revision"], service["state"]), (1, "active"))
        self.assertEqual(self.home.run("predict", self.uuid(), "--data", "[[1]]").json["predictions"], [1])

    def test_a_first_deploy_that_died_is_resumed(self):
        self.interrupted("starting", "deploy", self.model(7, "ready-after 1000"), "--model-name", "digits")
        self.fixed("operation")
        (service,) = self.services()
        self.assertEqual((service["revision"], service["state"]), (1, "active"))

    def test_a_first_deploy_that_cannot_be_resumed_stays_listed(self):
        model = self.model(7, "ready-after 600000")
        self.interrupted("starting", "deploy", model, "--model-name", "digits")
        self.home.file(os.path.relpath(os.path.join(model, "behaviour"), self.home.folder), "exit 3\n")
        self.fixed("operation")
        (service,) = self.services()
        self.assertEqual((service["revision"], service["state"]), (0, "error"))

    def test_one_that_goes_on_is_left_alone(self):
        process = self.home.start("deploy", self.model(7, "ready-after 600000"), "--model-name", "digits")
        support.wait_for(lambda: self.value("SELECT 1 FROM operations WHERE open"))
        support.wait_for(lambda: self.home.processes())
        self.assertEqual(self.doctor("--fix", status=0), [])
        self.assertIsNone(process.poll())
        process.terminate()
        process.wait()

    def test_a_server_whose_service_is_gone(self):
        self.deploy(self.model(1), name="kept")
        self.deploy(self.model(2), name="gone")
        uuid = self.home.json("served-models", "list", "--model", "gone")[0]["uuid"]
        url = self.home.json("served-models", "list", "--model", "gone")[0]["prediction_url"]
        before = len(self.home.processes())
        self.store("PRAGMA foreign_keys = ON", ("DELETE FROM services WHERE uuid = ?", (uuid,)))
        (found,) = self.doctor()
        self.assertEqual((found["kind"], found["severity"]), ("process", "error"))
        self.assertRegex(found["where"], r"process \d+")
        self.assertIn("(shim)", found["where"])
        self.assertIn(uuid, found["message"])
        self.assertEqual(len(self.home.processes()), before, "nothing is changed without --fix")
        self.fixed("process")
        self.assertEqual([s["model_name"] for s in self.services() if s["state"] == "active"], ["kept"])
        with self.assertRaises(OSError):
            support._direct.open(url)

    def test_a_server_of_another_start(self):
        self.deploy(self.model(1))
        self.store("UPDATE revisions SET state = 'stopped'")
        (found,) = self.doctor()
        self.assertIn("taken down", found["message"])
        self.store("UPDATE revisions SET state = 'serving', generation = generation + 1")
        (found,) = self.doctor()
        self.assertIn("started anew", found["message"])
        self.fixed("process")

    def test_of_another_home_nothing_is_touched(self):
        """A copy of the home has the same UUIDs."""
        self.deploy(self.model(1))
        copy = os.path.join(self.home.folder, "copy")
        shutil.copytree(self.home.path, copy)
        db = sqlite3.connect(os.path.join(copy, "ctcd.db"))
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM services")
        db.commit()
        db.close()
        self.home.run("doctor", "--fix", "--home", copy)
        self.assertEqual(self.services()[0]["state"], "active")

    def test_runs_and_steps(self):
        fifo = os.path.join(self.home.folder, "begun")
        os.mkfifo(fifo)
        pipeline = self.home.file("long.yaml", "pipeline: long\nsteps:\n  my-step:\n    command:"
                                  " [sh, -c, 'echo >%s; exec sleep 600']\n" % fifo)
        process = self.home.start("pipeline", "run", pipeline)
        with open(fifo) as f:
            f.read()
        self.assertEqual(self.doctor("--fix", status=0), [], "it is carried out")
        self.kill(process)
        (found,) = self.doctor("--fix")
        self.assertEqual((found["kind"], found["where"], found["fixed"]),
                         ("run", self.home.json("run", "list")[0]["name"], False))
        self.assertIn("ctcd daemon", found["next"])
        self.store("UPDATE runs SET status = 'failed'", "UPDATE step_runs SET status = 'failed'")
        (found,) = self.doctor()
        self.assertEqual(found["kind"], "process")
        self.assertIn("step my-step", found["message"])
        self.fixed("process")
        self.assertEqual(self.home.processes(), {})

    def test_a_port_that_somebody_else_took(self):
        self.deploy(self.model(1))
        port = int(self.services()[0]["prediction_url"].split(":")[2].split("/")[0])
        for pid in self.home.processes():
            os.kill(pid, signal.SIGKILL)
        support.wait_for(lambda: not self.home.processes())
        self.assertEqual(self.doctor(status=0), [], "nobody answers there")
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            (found,) = self.doctor()
            self.assertEqual((found["kind"], found["where"], found["fixable"]), ("port", self.uuid(), False))
            self.assertIn(str(port), found["message"])
            self.home.run("served-models", "start", self.uuid())
            self.assertEqual(self.doctor(status=0), [], "it has another one")

    def test_programs(self):
        root = os.path.join(self.home.folder, "venv")
        self.home.file("venv/pyvenv.cfg", "include-system-site-packages = false\n")
        self.home.file("venv/lib/python3.11/site-packages/pip/x", "")
        python = self.home.file("venv/bin/python", "#!/bin/sh\n")
        self.home.run("model-deployer", "register", "other", "--flavor=mlflow", "--python", python)
        self.home.run("stack", "register", "other", "-m", "default", "-a", "default", "-o", "default", "-d", "other")
        (found,) = self.doctor()
        self.assertEqual((found["severity"], found["where"]), ("warning", "other"), "its stack is not the active one")
        self.home.run("stack", "set", "other")
        (found,) = self.doctor()
        self.assertEqual((found["kind"], found["severity"], found["where"]), ("program", "error", "other"))
        self.assertIn("is not a program", found["message"])
        os.chmod(python, 0o755)
        self.assertIn("no MLflow", self.doctor()[0]["message"])
        self.home.file("venv/lib/python3.11/site-packages/mlflow_skinny-3.17.2.dist-info/METADATA", "")
        self.assertEqual(self.doctor(status=0), [])
        shutil.rmtree(root)
        said = self.home.run("doctor", status=1).out
        self.assertRegex(said, r"^error: other: .*there is no .*\n  next: .*\n$")


class Backup(House):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.home.folder, "backup.db")
        self.other = os.path.join(self.home.folder, "other")

    def restored(self, *args):
        return self.home.json(*args, "--home", self.other)

    def test_there_and_back(self):
        model = self.model(5)
        self.deploy(model)
        self.home.run("pipeline", "run", self.pipeline("p"))
        daemon = self.home.start("daemon")
        self.home.run("schedule", "create", self.home.file("s.yaml", PIPELINE % "s" + "schedule: {interval: 24h, start: now}\n"))
        support.wait_for(lambda: len(self.home.json("run", "list")) == 2 and
                         all(r["status"] == "completed" for r in self.home.json("run", "list")))
        self.assertEqual(self.home.run("backup", self.file).out, "")
        self.assertIsNone(daemon.poll())
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        self.assertEqual([n for n in os.listdir(self.home.folder) if n.startswith("backup")], ["backup.db"])
        self.home.run("pipeline", "run", self.pipeline("later"))
        self.home.run("restore", self.file, "--home", self.other)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.other, "ctcd.db")).st_mode), 0o600)
        wanted = [r for r in self.home.json("run", "list") if r["pipeline"] != "later"]
        self.assertEqual(len(wanted), 2)
        self.assertEqual(self.restored("run", "list"), wanted)
        self.assertEqual(self.restored("schedule", "list"), self.home.json("schedule", "list"))
        self.assertEqual(self.restored("model-deployer", "list"), self.home.json("model-deployer", "list"))
        (here,), (there,) = self.services(), self.restored("served-models", "list")
        self.assertEqual((there["uuid"], there["state"]), (here["uuid"], "inactive"), "as it is observed")
        self.assertEqual(here["state"], "active")
        self.assertEqual(self.restored("events", "--limit", "1000"),
                         [e for e in self.home.json("events", "--limit", "1000") if e["data"].get("pipeline") != "later"])
        self.home.run("served-models", "start", there["uuid"], "--home", self.other)
        self.assertEqual(self.restored("served-models", "list")[0]["state"], "active")
        self.assertEqual(self.services()[0]["state"], "active", "both serve, each its own")
        self.home.run("served-models", "delete", there["uuid"], "--home", self.other)
        self.home.run("doctor", "--home", self.other)

    def locked(self, path):
        with open("/proc/locks") as f:
            return os.path.exists(path) and ":%d " % os.stat(path).st_ino in f.read()

    def test_refused(self):
        self.home.run("backup", self.file)
        said = self.home.run("restore", self.file, status=6).err
        self.assertIn("has a store", said)
        self.assertIn("--force", said)
        self.deploy(self.model())
        self.assertIn("servers or steps run", self.home.run("restore", self.file, "--force", status=6).err)
        self.home.run("served-models", "stop", self.uuid())
        daemon = self.home.start("daemon")
        lock = os.path.join(self.home.path, "scheduler.lock")
        support.wait_for(lambda: self.locked(lock))
        self.assertIn("a daemon runs", self.home.run("restore", self.file, "--force", status=6).err)
        daemon.terminate()
        daemon.wait()
        db = sqlite3.connect(os.path.join(self.home.path, "ctcd.db"))
        db.execute("SELECT count(*) FROM runs").fetchone()
        self.assertIn("its store is open", self.home.run("restore", self.file, "--force", status=6).err)
        db.close()
        self.assertEqual(len(self.services()), 1)
        self.home.run("restore", self.file, "--force")
        self.assertEqual(self.services(), [])
        self.assertEqual(os.listdir(self.home.path).count("services"), 0)
        self.home.run("doctor")

    def test_numbers_given_since_are_given_again(self):
        """What the restored store does not know of must not stand in the way."""
        self.deploy(self.model(1))
        self.home.run("backup", self.file)
        self.home.run("served-models", "stop", self.uuid())
        self.home.run("served-models", "start", self.uuid())
        self.deploy(self.model(2))
        self.home.run("served-models", "stop", self.uuid())
        self.home.run("restore", self.file, "--force")
        self.home.run("served-models", "start", self.uuid())
        self.deploy(self.model(3))
        (service,) = self.services()
        self.assertEqual((service["revision"], service["state"]), (2, "active"))
        self.assertEqual(self.home.run("predict", self.uuid(), "--data", "[[1]]").json["predictions"], [3])

    def test_what_is_no_backup(self):
        self.home.run("backup", self.file)
        self.home.run("restore", os.path.join(self.home.folder, "nosuch"), "--home", self.other, status=3)
        self.home.run("restore", self.home.file("empty", ""), "--home", self.other, status=2)
        self.home.run("restore", self.home.folder, "--home", self.other, status=2)
        said = self.home.run("restore", self.home.file("text", "no database\n" * 100), "--home", self.other, status=1)
        self.assertIn("is no backup, or a damaged one", said.err)
        stranger = os.path.join(self.home.folder, "stranger.db")
        db = sqlite3.connect(stranger)
        db.execute("CREATE TABLE t (x)")
        db.commit()
        db.close()
        self.assertIn("another program", self.home.run("restore", stranger, "--home", self.other, status=1).err)
        with open(self.file, "r+b") as f:
            f.seek(4096 * 3)
            f.write(b"\xff" * 4096 * 8)
        self.home.run("restore", self.file, "--home", self.other, status=1)
        self.home.run("backup", self.file)
        db = sqlite3.connect(self.file)
        db.execute("PRAGMA user_version = 99")
        db.close()
        self.assertIn("version 99", self.home.run("restore", self.file, "--home", self.other, status=1).err)
        self.assertEqual([n for n in os.listdir(self.other) if n.startswith("ctcd.db")], [])

    def test_where_it_goes(self):
        store = os.path.join(self.home.path, "ctcd.db")
        self.assertIn("the store itself", self.home.run("backup", store, status=2).err)
        self.home.run("backup", self.home.folder, status=2)
        self.home.run("backup", os.path.join(self.home.folder, "no", "file"), status=3)
        self.home.file("backup.db", "an older one")
        self.home.run("backup", self.file)
        self.home.run("restore", self.file, "--home", self.other)
        self.home.run("backup", os.path.join(self.other, "x"), "--home", os.path.join(self.home.folder, "none"), status=3)

    def test_a_damaged_store_is_replaced(self):
        self.home.run("pipeline", "run", self.pipeline("p"))
        runs = self.home.json("run", "list")
        self.home.run("backup", self.file)
        store = os.path.join(self.home.path, "ctcd.db")
        with open(store, "wb") as f:
            f.write(b"x" * 8192)
        with open(store + "-wal", "wb") as f:
            f.write(b"y" * 8192)
        self.home.run("run", "list", status=1)
        self.home.run("restore", self.file, "--force")
        self.assertEqual(self.home.json("run", "list"), runs)
        os.unlink(store)
        self.home.run("run", "list", status=1)
        self.home.run("restore", self.file)
        self.assertEqual(self.home.json("run", "list"), runs)

    def test_what_had_not_begun_is_abandoned(self):
        """Whether it ran afterwards the backup does not know; and it does not run a second time."""
        notes = os.path.join(self.home.folder, "notes")
        path = self.home.file("due.yaml", "pipeline: due\nsteps:\n  s:\n    command: [sh, -c, 'echo x >>%s; until test -e %s; "
                              "do sleep 0.02; done']\nschedule: {interval: 1s, start: now, end: +2s, catchup: all, overlap: buffer_all}\n"
                              % (notes, notes + ".go"))
        self.home.run("schedule", "create", path)
        daemon = self.home.start("daemon", "--until-idle")
        statuses = ["pending", "running"]
        self.assertTrue(support.wait_for(lambda: [r["status"] for r in self.home.json("run", "list")] == statuses))
        self.assertTrue(support.wait_for(lambda: os.path.exists(notes)))
        self.home.run("backup", self.file)
        self.home.file("notes.go", "")
        self.assertEqual(daemon.wait(support.SAFETY), 0)
        self.home.run("restore", self.file, "--force")
        self.home.run("daemon", "--until-idle")
        self.assertEqual([r["status"] for r in self.home.json("run", "list")], ["abandoned"] * 2)
        with open(notes, encoding="utf-8") as f:
            self.assertEqual(f.read(), "x\nx\n")

    def test_an_attempt_that_the_backup_does_not_know(self):
        """Its folder is there, with how it ended; the attempt of that number that is made now is another one."""
        path = self.home.file("again.yaml", "pipeline: again\nsteps:\n  s:\n    command: [sh, -c, 'echo x >>notes; "
                              "test -e go']\n")
        self.home.run("pipeline", "run", path, status=1)
        uuid = self.home.json("run", "list")[0]["uuid"]
        self.home.run("backup", self.file)
        self.home.run("run", "retry", uuid, status=1)
        self.home.run("restore", self.file, "--force")
        self.home.file("go", "")
        self.home.run("run", "retry", uuid)
        with open(os.path.join(self.home.folder, "notes"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "x\nx\nx\n")

    def test_what_was_under_way_is_abandoned(self):
        fifo = os.path.join(self.home.folder, "begun")
        os.mkfifo(fifo)
        process = self.home.start("pipeline", "run", self.home.file("long.yaml", "pipeline: long\nsteps:\n  s:\n    "
                                  "command: [sh, -c, 'echo >%s; exec sleep 600']\n" % fifo))
        with open(fifo) as f:
            f.read()
        self.home.run("backup", self.file)
        process.terminate()
        process.wait()
        self.home.run("restore", self.file, "--home", self.other)
        (run,) = self.restored("run", "list")
        self.assertEqual(run["status"], "abandoned")
        self.assertIn("backup", run["error"])
        self.home.run("doctor", "--home", self.other)


class Collect(House):
    FILES = """\
pipeline: files
params: {n: 1}
steps:
  make:
    command: [sh, -c, 'mkdir "$CTCD_ARTIFACTS/m"; cp -r "$0/." "$CTCD_ARTIFACTS/m"; printf "{\\"model\\": \\"%%s/m\\"}" "$CTCD_ARTIFACTS" >"$CTCD_OUTPUTS"', "%s", "${params.n}"]
    outputs: [model]
    cache: %s
"""

    def gc(self, *args):
        return self.home.run("gc", *args, "-o", "json").json

    def removed(self, *args):
        """The same is said before and done afterwards; and then there is nothing left to do."""
        before = self.tree()
        said = self.gc("--dry-run", *args)
        self.assertEqual(self.tree(), before, "a dry run changes nothing")
        done = self.gc(*args)
        self.assertEqual(done, said)
        self.assertEqual(self.gc(*args), [])
        return [(r["kind"], r["name"]) for r in done]

    def tree(self):
        return sorted(os.path.join(folder, name) for folder, folders, files in os.walk(self.home.path)
                      for name in folders + files if not name.startswith("ctcd.db-"))

    def runs(self):
        return [r["name"] for r in self.home.json("run", "list", "--limit", "1000")]

    def folder(self, run):
        (uuid,) = [r["uuid"] for r in self.home.json("run", "list", "--limit", "1000") if r["name"] == run]
        return os.path.join(self.home.path, "runs", uuid)

    def test_retention_of_runs(self):
        for name in ("a", "a", "a", "b"):
            self.home.run("pipeline", "run", self.pipeline(name))
        b, a3, a2, a1 = self.runs()
        folders = [self.folder(r) for r in (a1, a2, a3, b)]
        self.assertEqual(self.removed(), [], "without a retention all stay")
        self.assertEqual(self.removed("--keep-runs", "5"), [])
        self.assertEqual(self.removed("--older-than", "1d"), [])
        size = sum(os.path.getsize(os.path.join(at, n)) for at, _, files in os.walk(folders[0]) for n in files)
        (found,) = [r for r in self.gc("--dry-run", "--keep-runs", "1") if r["name"] == a1]
        self.assertEqual((found["kind"], found["bytes"], found["count"]), ("run", size, 1))
        self.assertGreater(size, 0)
        self.assertEqual(sorted(self.removed("--keep-runs", "1")), sorted([("run", a1), ("run", a2)]))
        self.assertEqual(self.runs(), [b, a3])
        self.assertEqual([os.path.exists(f) for f in folders], [False, False, True, True])
        long_ago = 1000
        self.store(("UPDATE runs SET ended_ms = ? WHERE name = ?", (long_ago, a3)))
        said = self.home.run("gc", "--older-than", "1d").out
        self.assertRegex(said, r"^KIND +NAME +SIZE\nrun +%s +\d+ B\nFreed \d+ B\.\n$" % a3)
        self.assertEqual(self.runs(), [b])
        self.assertEqual(self.home.run("gc").out, "Freed 0 B.\n")
        self.home.run("gc", "--keep-runs", "1", "--older-than", "1d", status=2)
        self.home.run("gc", "--keep-runs", "-1", status=2)
        self.home.run("doctor")

    def run_files(self, n, cache="false", model=None):
        path = self.home.file("files.yaml", self.FILES % (model or self.model(n), cache))
        self.home.run("pipeline", "run", path, "--param", "n=%d" % n)
        return self.runs()[0]

    def test_what_is_served_stays(self):
        first, second, third = (self.run_files(n) for n in (1, 2, 3))
        model = os.path.join(self.folder(first), "make", "1", "artifacts", "m")
        self.assertTrue(os.path.isdir(model))
        self.deploy(model)
        self.assertEqual(self.removed("--keep-runs", "1"), [("run", second)])
        self.home.run("served-models", "stop", self.uuid())
        self.assertEqual(self.removed("--keep-runs", "1"), [])
        self.home.run("served-models", "start", self.uuid())
        self.deploy(self.model(9))
        self.assertEqual(self.removed("--keep-runs", "1"), [("run", first), ("revision_folder", self.uuid() + "/r1")])
        self.assertEqual(self.services()[0]["state"], "active")
        self.assertEqual(self.runs(), [third])

    def test_the_run_of_the_baseline_stays(self):
        text = self.FILES % (self.model(1), "false") + "  deploy:\n    deploy: {model_name: digits, model_uri: \"%s\", options: {}}\n" % self.model(2)
        self.home.run("pipeline", "run", self.home.file("files.yaml", text))
        deployed = self.runs()[0]
        other, last = self.run_files(3), self.run_files(4)
        self.assertEqual(self.removed("--keep-runs", "1"), [("run", other)])
        self.assertEqual(self.runs(), [last, deployed])

    def test_what_a_cache_hit_points_to_stays(self):
        model = self.model(1)
        first = self.run_files(1, "true", model)
        second = self.run_files(1, "true", model)
        self.assertEqual(self.home.json("run", "describe", second)["steps"][0]["status"], "cached")
        other = self.run_files(2, "true", model)
        third = self.run_files(1, "true", model)
        self.assertEqual(self.removed_sorted("--keep-runs", "1"), sorted([("run", second), ("run", other)]))
        self.assertEqual(self.runs(), [third, first])
        self.store("UPDATE runs SET ended_ms = 1000")
        self.assertEqual({name for _, name in self.removed("--older-than", "1d")}, {first, third}, "both at once")

    def removed_sorted(self, *args):
        return sorted(self.removed(*args))

    def test_what_runs_stays(self):
        fifo = os.path.join(self.home.folder, "begun")
        os.mkfifo(fifo)
        old = self.run_files(1, "true")
        plain = self.pipeline("plain")
        self.home.run("pipeline", "run", plain)
        gone = self.runs()[0]
        text = self.FILES % (self.model(2), "true") + "  s:\n    command: [sh, -c, 'echo >%s; exec sleep 600']\n" % fifo
        process = self.home.start("pipeline", "run", self.home.file("long.yaml", text))
        with open(fifo) as f:
            f.read()
        self.store("UPDATE runs SET ended_ms = 1000 WHERE ended_ms IS NOT NULL")
        self.assertEqual(self.removed("--older-than", "1d"), [("run", gone)], "it could take the old one's results")
        self.assertIn(old, self.runs())
        process.kill()
        process.wait()
        self.assertEqual(self.removed("--older-than", "0s"), [], "it is to be taken up")
        self.store("UPDATE step_runs SET status = 'failed' WHERE status = 'running'",
                   "UPDATE runs SET status = 'failed', ended_ms = 2000 WHERE status = 'running'")
        self.home.run("doctor", "--fix")
        self.assertEqual(len(self.removed("--older-than", "1d")), 2)
        self.assertEqual(self.runs(), [])

    def test_folders_that_no_record_knows(self):
        uuid = "00000000-0000-4000-8000-000000000000"
        self.home.file("ctcd/runs/%s/s/1/log" % uuid, "x" * 100)
        self.home.file("ctcd/services/%s/r1/log" % uuid, "x" * 1000)
        self.home.file("ctcd/runs/mine/file", "")
        self.deploy(self.model(1))
        self.deploy(self.model(2))
        self.deploy(self.model(3, "exit 3"), status=1)
        self.home.file("ctcd/services/%s/r77/log" % self.uuid(), "")
        self.assertEqual([(r["kind"], r["bytes"]) for r in self.gc("--dry-run") if uuid in r["name"]],
                         [("run_folder", 100), ("service_folder", 1000)])
        self.assertEqual(self.removed_sorted(), sorted([
            ("run_folder", uuid), ("service_folder", uuid), ("revision_folder", self.uuid() + "/r1"),
            ("revision_folder", self.uuid() + "/r3"), ("revision_folder", self.uuid() + "/r77")]))
        self.assertTrue(os.path.exists(os.path.join(self.home.path, "runs", "mine")))
        self.home.run("served-models", "logs", self.uuid())

    def test_a_failed_first_deploy_keeps_its_log(self):
        self.deploy(self.model(3, "exit 3", "stderr so it is"), status=1)
        self.assertEqual(self.removed(), [])
        self.assertIn("so it is", self.home.run("served-models", "logs", self.uuid()).out)

    def test_models(self):
        used, unused = "a" * 64, "b" * 64
        models = os.path.join(self.home.path, "deployers", "mlflow", "models")
        for digest in (used, unused):
            self.home.file("ctcd/deployers/mlflow/models/%s/model" % digest, "x" * 10)
        self.home.file("ctcd/deployers/mlflow/models/.gc-%s/model" % ("c" * 64), "by one that died")
        os.rename(os.path.join(models, used), os.path.join(models, ".gc-" + used))
        self.home.file("ctcd/deployers/mlflow/incoming/x", "")
        self.deploy(self.model(1))
        self.store(("UPDATE revisions SET memo = json_set(memo, '$.digest', ?)", (used,)))
        self.assertEqual(self.removed_sorted(), [("model", unused), ("model", "c" * 64)])
        self.assertEqual(os.listdir(models), [used], "put back")
        self.assertTrue(os.path.exists(os.path.join(self.home.path, "deployers", "mlflow", "incoming", "x")))
        self.home.run("served-models", "stop", self.uuid())
        self.assertEqual(self.removed(), [], "it may be started again")
        self.home.run("served-models", "delete", self.uuid())
        process = self.home.start("deploy", self.model(2, "ready-after 600000"), "--model-name", "digits")
        support.wait_for(lambda: any("stand-in" in c for c in self.home.processes().values()))
        self.assertEqual(self.removed(), [], "who deploys may be about to use it")
        process.terminate()
        process.wait()
        self.assertIn(("model", used), self.removed())

    def test_events(self):
        self.home.run("pipeline", "run", self.pipeline("p"))
        count = len(self.home.json("events"))
        self.assertEqual(self.gc("--keep-events", "1d"), [])
        self.store("UPDATE events SET at_ms = 1000 WHERE id = 1")
        self.assertEqual(self.gc("--dry-run", "--keep-events", "1d"), [{"kind": "events", "name": "", "bytes": 0, "count": 1}])
        self.assertEqual(len(self.home.json("events")), count)
        said = self.home.run("gc", "--keep-events", "1d").out
        self.assertRegex(said, r"(?m)^events +1\b")
        self.assertEqual(len(self.home.json("events")), count - 1)

    def test_beside_runs(self):
        """Runs come and go while everything old is removed again and again: none fails."""
        check = self.home.file("check.sh", """test -e "$(sed -n 's/.*"model": *"\\([^"]*\\)".*/\\1/p' "$CTCD_INPUTS")/MLmodel"\n""")
        path = self.home.file("busy.yaml", self.FILES.replace("pipeline: files", "pipeline: busy") % (self.model(1), "true")
                              + "  check:\n    command: [sh, %s]\n    inputs: {model: make.model}\n    cache: false\n" % check)
        runs = [self.home.start("pipeline", "run", path, "--param", "n=%d" % (i % 2)) for i in range(6)]
        while any(r.poll() is None for r in runs):
            self.home.run("gc", "--keep-runs", "1")
        self.assertEqual([r.wait() for r in runs], [0] * 6)
        self.home.run("gc", "--keep-runs", "1")
        for run in self.home.json("run", "list"):
            self.assertEqual(run["status"], "completed")
        self.home.run("doctor")


if __name__ == "__main__":
    unittest.main()
