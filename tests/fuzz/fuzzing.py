"""What the fuzz suites (fuzz_*.py beside this file, one for each target) do: libFuzzer for FUZZ_SECONDS, and
the proof that it finds a bug that was planted. What it finds is kept in BUILD/test/found and shown with the
command that runs it again; once it is mended, it belongs to the seeds, which replay.c runs ever after."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import time

SOURCE = os.environ.get("TEST_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TEST_BUILD") or os.path.join(SOURCE, "build")
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 30)
PLANTED_SECONDS = 120  # it takes a few; a net for busy machines
LIMITS = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=768", "-malloc_limit_mb=64", "-print_final_stats=1"]
# No log_path, as the runner of the suites sets it: the report belongs to the output here.
ASAN = "detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=16:strict_string_checks=1"
LOG_SHOWN = 120  # lines


class Target:
    """Mixed into a TestCase; `target` names seeds, dictionary and programs."""

    target = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fuzz.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def fuzz(self, program, seconds, *options):
        """-> exit status, output, inputs that it stumbled over."""
        for name in ("kept", "found", "tmp"):
            os.makedirs(os.path.join(self.folder, name))
        here = os.path.join(SOURCE, "tests", "fuzz")
        argv = [os.path.join(BUILD, "fuzz", "test", program), *LIMITS, "-max_total_time=%d" % seconds,
                "-dict=" + os.path.join(here, self.target + ".dict"),
                "-artifact_prefix=%s/found/" % self.folder, *options,
                os.path.join(self.folder, "kept"), os.path.join(here, "seeds", self.target)]
        env = dict(os.environ, ASAN_OPTIONS=ASAN, UBSAN_OPTIONS="print_stacktrace=1",
                   TMPDIR=os.path.join(self.folder, "tmp"))
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds + 240, encoding="utf-8", errors="replace")
        return done.returncode, done.stdout, sorted(glob.glob(os.path.join(self.folder, "found", "*")))

    def explain(self, output, found):
        lines = output.splitlines()[-LOG_SHOWN:]
        kept = os.path.join(BUILD, "test", "found")
        os.makedirs(kept, exist_ok=True)
        for path in found:
            name = "%s-%s" % (self.target, os.path.basename(path))
            shutil.copy(path, os.path.join(kept, name))
            with open(path, "rb") as file:
                lines.append("the input (%s): %r" % (name, file.read()[:4096]))
            lines.append("again: build/fuzz/test/fuzzer_%s build/test/found/%s" % (self.target, name))
            lines.append("   or: build/test/fuzz_%s build/test/found/%s" % (self.target, name))
        return "\n".join(lines)

    def test_it_is_clean(self):
        status, output, found = self.fuzz("fuzzer_" + self.target, SECONDS)
        self.assertTrue(status == 0 and not found, self.explain(output, found))
        stat = dict(re.findall(r"^stat::(\w+): *(\d+)", output, re.M))
        coverage = re.findall(r"cov: (\d+) ft: (\d+)", output)
        self.assertTrue(coverage and int(stat["number_of_executed_units"]) > 100, output)
        print("\nmeasured: %s: %s inputs in %d s (%s/s), %s edges, %s features, %s new inputs kept, peak %s MB" % (
            self.target, stat["number_of_executed_units"], SECONDS, stat["average_exec_per_sec"], *coverage[-1],
            stat["new_units_added"], stat["peak_rss_mb"]))

    def test_a_planted_bug_is_found(self):
        begun = time.monotonic()
        status, output, found = self.fuzz("planted_" + self.target, PLANTED_SECONDS, "-seed=1")
        self.assertNotEqual(status, 0, output[-4000:])
        self.assertIn("heap-buffer-overflow", output)
        self.assertIn("fuzz_plant: the bug", output)  # this one, and no other
        self.assertEqual(len(found), 1)
        print("\nmeasured: %s: the planted bug after %.1f s" % (self.target, time.monotonic() - begun))
