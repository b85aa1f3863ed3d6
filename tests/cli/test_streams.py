"""Standard files that are closed, full, or whose reader has left."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support


class Streams(support.HomeCase):
    def shell(self, line):
        """Runs a line of sh in which $0 is the command; -> CompletedProcess."""
        return subprocess.run(["sh", "-c", line, self.home.ctcd], env=self.home.env, cwd=self.home.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", timeout=support.SAFETY)

    def setUp(self):
        super().setUp()
        self.home.run("model-deployer", "register", "ml", "--type=mlflow")

    def test_full_disk(self):
        said = self.shell('"$0" stack list >/dev/full')
        self.assertEqual(said.returncode, 1)
        self.assertIn("No space left on device", said.stderr)

    def test_a_file_that_may_not_grow(self):
        said = self.shell('ulimit -f 0; "$0" schedule next --interval 60s >there')
        self.assertEqual((said.returncode, "File too large" in said.stderr), (1, True), said.stderr)
        said = self.shell('ulimit -f 0; "$0" model-deployer register ml2 --type=mlflow')
        self.assertEqual((said.returncode, "no space is left" in said.stderr), (1, True), said.stderr)
        self.assertEqual(self.home.run("model-deployer", "list", "-o", "name").out, "ml\n")

    def test_closed_output(self):
        said = self.shell('"$0" stack list >&-')
        self.assertEqual(said.returncode, 1)
        self.assertIn("writing the output failed", said.stderr)

    def test_closed_files_do_not_become_the_store(self):
        for files in (">&- 2>&-", "<&- >&- 2>&-"):
            self.shell('"$0" model-deployer register ml2 --type=mlflow ' + files)
            self.assertEqual(self.home.run("model-deployer", "list", "-o", "name").out, "ml\nml2\n")
            self.home.run("model-deployer", "delete", "ml2")

    def test_closed_input(self):
        said = self.shell('"$0" stack list -o name <&-')
        self.assertEqual((said.returncode, said.stdout), (0, "default\n"))

    def test_a_reader_that_leaves(self):
        said = self.shell('{ "$0" schedule next --interval 1s --start 2026-01-01T00:00:00Z --end +48h; '
                          'echo $? >&2; } | head -n 1')
        self.assertEqual(said.stdout, "2026-01-01T00:00:00Z\n")
        self.assertEqual(said.stderr, "1\n")

    def test_error_and_output_in_one_place_keep_their_order(self):
        said = self.shell('"$0" stack list 2>&1; "$0" stack set nosuch 2>&1')
        self.assertLess(said.stdout.index("default"), said.stdout.index("nosuch"))

    def test_a_strangers_text_does_not_talk_to_the_terminal(self):
        said = self.home.call("stack", "set", "a\033[2Jb")
        self.assertNotIn("\033", said.err)


if __name__ == "__main__":
    unittest.main()
