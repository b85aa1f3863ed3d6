"""report: the page as a browser shows it, and what is in it."""

import functools
import html.parser
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stand_in import StandInCase, support

PIPELINE = """\
pipeline: digits
params: {accuracy: 0.93, model: none}
steps:
  train:
    command: [sh, -c, 'printf "{\\"accuracy\\": %s, \\"model\\": \\"%s\\", \\"odd\\": NaN}" "$0" "$1" >"$CTCD_OUTPUTS"', "${params.accuracy}", "${params.model}"]
    outputs: [accuracy, model, odd]
  decide:
    decide: {metric: train.accuracy, threshold: 0.9, min_absolute_change: 0.002, deploys: deploy}
  deploy:
    when: decide
    deploy: {model_name: digits, model_uri: train.model}
"""
FAILS = "pipeline: fails\nsteps:\n  s:\n    command: [sh, -c, 'exit 3']\nschedule: {interval: 1h}\n"
HOSTILE = "</td><script>alert(1)</script>\" onload='x' &amp;"

# The page is looked at by another one that holds it in frames as wide as a phone and as a desk.
LOOKING = """\
<!DOCTYPE html><title>looking</title><body>
<script>
let left = 2;
for (const width of [360, 1200]) {
  const frame = document.createElement('iframe');
  frame.style.cssText = 'border:0;height:800px;width:' + width + 'px';
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    const wide = [...page.querySelectorAll('section *')].filter(
      e => !e.closest('svg,thead') && e.getBoundingClientRect().right > width + 0.5);
    const svg = page.querySelector('figure svg');
    const said = document.createElement('pre');
    said.textContent = JSON.stringify({
      width, scrolls: root.scrollWidth, wide: wide.map(e => e.outerHTML.slice(0, 200)),
      requests: frame.contentWindow.performance.getEntriesByType('resource').map(e => e.name),
      scripts: page.scripts.length, plot: svg && svg.getBoundingClientRect().width,
      letters: svg && parseFloat(getComputedStyle(svg.querySelector('text')).fontSize)
               * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
      marks: ['promote', 'reject', 'dot', 'limit', 'series'].map(
        c => page.querySelectorAll('figure > svg .' + c).length)});
    document.body.append(said);
    if (!--left) document.title = 'done';
  };
  frame.src = 'report.html';
  document.body.append(frame);
}
</script>
"""


class Structure(html.parser.HTMLParser):
    """Every element closed in its turn, no id twice, nothing that would be fetched or carried out."""

    VOID = {"meta", "path", "circle"}

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.faults, self.targets, self.named, self.texts = [], set(), [], set(), set(), []
        self.feed(text)
        self.close()
        self.faults += ["left open: " + tag for tag in self.open]
        self.faults += ["names what is not there: " + name for name in (self.targets | self.named) - self.ids]

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        attrs = dict(attrs)
        if "id" in attrs:
            if attrs["id"] in self.ids:
                self.faults.append("twice: " + attrs["id"])
            self.ids.add(attrs["id"])
        for name, value in attrs.items():
            if name.startswith("on") or name in ("src", "srcset", "action", "style", "data", "poster"):
                self.faults.append("%s %s" % (tag, name))
            if name.endswith("href"):
                self.targets.add(value[1:])
                if not value.startswith("#"):
                    self.faults.append("leads away: " + value)
            if name == "aria-labelledby":
                self.named.update(value.split())
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "image", "use", "form"):
            self.faults.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append("closed out of turn: " + tag)

    def handle_data(self, data):
        self.texts.append(data)


class Report(StandInCase):
    def train(self, *accuracies):
        path = self.home.file("digits.yaml", PIPELINE)
        for accuracy in accuracies:
            self.home.run("pipeline", "run", path, "--param", "accuracy=%s" % accuracy, "--param",
                          "model=" + self.model())

    def fill(self):
        self.train(0.5, 0.92, 0.91, 0.95)
        self.home.run("pipeline", "run", self.home.file("fails.yaml", FAILS), status=1)
        self.home.run("schedule", "create", self.home.file("fails.yaml", FAILS), "--name", "hourly")
        self.deploy(self.model(1, "exit 1"), name=HOSTILE, status=1)

    def page(self, *args):
        path = os.path.join(self.home.folder, "report.html")
        said = self.home.run("report", "--output", path, *args)
        self.assertEqual((said.out, said.err), ("", ""))
        with open(path, encoding="utf-8") as f:
            return f.read()

    def structure(self, page):
        found = Structure(page)
        self.assertEqual(found.faults, [])
        self.assertNotRegex(page.partition("</style>")[0], r"url\(|@import|expression")
        return found

    # ---- the text -----------------------------------------------------------------------------
    def test_an_empty_home(self):
        page = self.page()
        self.structure(page)
        for sentence in ("Nothing is served.", "No run has put out a number yet.", "Nothing has run yet.",
                         "There are none.", "Nothing has happened yet."):
            self.assertIn(sentence, page)

    def test_what_it_tells(self):
        self.fill()
        page = self.page()
        texts = self.structure(page).texts
        runs = self.home.json("run", "list")
        rows = page.partition('<section id="runs"')[2].partition("</section>")[0].split("<tr>")[2:]
        self.assertEqual(len(rows), len(runs))
        for row, run in zip(rows, runs):  # newest first
            self.assertIn(run["name"], row)
            self.assertIn(">%s<" % run["status"], row)
        for row, verdict in zip(rows[1:], ("promote", "reject", "promote", "reject")):
            self.assertIn(">%s<" % verdict, row)
        self.assertIn("accuracy 0.5 is not &gt;= 0.9", rows[4])
        self.assertIn("it ended with exit status 3", rows[0])
        self.assertIn("1 of 2 active, 1 in error", texts)
        self.assertIn("5, 1 failed", texts)
        self.assertIn("4 runs, from 0.5 to 0.95, the newest 0.95; 2 promoted, 2 rejected; threshold 0.9.", page)
        next_fires = self.home.run("schedule", "describe", "hourly", "-o", "json").json
        self.assertEqual(next_fires["name"], "hourly")
        self.assertEqual(page.partition('<section id="schedules"')[2].count("<time"), 3 + page.partition(
            '<section id="events"')[2].count("<time"), "three fires to come")
        for kind in ("deploy switched", "step failed", "run completed", "schedule created"):
            self.assertIn(kind, texts)
        self.assertEqual(page.count("<figure>"), 1, "what is never a number has no plot")

    def test_everything_is_escaped(self):
        self.fill()
        page = self.page()
        self.assertNotIn("<script", page)
        self.assertIn("&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp;amp;", page)
        self.assertIn(HOSTILE, self.structure(page).texts)

    def test_choices(self):
        self.fill()
        page = self.page("--pipeline", "fails")
        self.assertEqual(page.count("<figure>"), 0)
        self.assertNotIn(">digits-", page.partition('<section id="events"')[0])
        page = self.page("--limit", "1")
        self.assertEqual(page.partition('<section id="runs"')[2].partition("</section>")[0].count("<tr>"), 2)
        self.home.run("report", "--limit", "0", status=2)

    def test_a_plot_of_odd_numbers(self):
        self.train(0, -5e307, 1e308)
        self.train(*["1e-300"] * 2)
        page = self.page()
        self.structure(page)
        figure = page.partition("<figure>")[2].partition("</figure>")[0]
        self.assertNotRegex(figure, r"(?i)\b(nan|inf)\b")
        for number in re.findall(r"[MLHV](-?[\d.]+)", figure):
            self.assertTrue(0 <= float(number) <= 400, figure)

    def test_a_plot_of_counts(self):
        counts = PIPELINE.partition("  decide:")[0]
        file = self.home.file("counts.yaml", counts)
        for count in (120, 960):
            self.home.run("pipeline", "run", file, "--param", "accuracy=%d" % count)
        page = self.page()
        self.assertIn("2 runs, from 120 to 960, the newest 960.", page)
        self.assertNotRegex(page, r"<text [^>]*>-\d", "what is counted is never below 0")

    # ---- the file -----------------------------------------------------------------------------
    def test_where_it_goes(self):
        self.assertIn("<!DOCTYPE html>", self.home.run("report").out)
        self.assertIn("<!DOCTYPE html>", self.home.run("report", "-o", "-").out)
        self.home.run("report", "--output", os.path.join(self.home.folder, "no", "report.html"), status=3)
        self.home.run("report", "--output", self.home.folder, status=1)
        self.assertIn("No space left", self.home.run("report", "--output", "/dev/full", status=1).err)
        path = self.home.file("report.html", "the one before")
        before = os.stat(path).st_ino
        self.home.run("report", "--output", path)
        self.assertNotEqual(os.stat(path).st_ino, before, "moved into its place")
        self.assertEqual(os.listdir(self.home.folder).count("report.html"), 1)
        self.assertEqual([n for n in os.listdir(self.home.folder) if n.startswith("report.html.")], [])

    # ---- a browser ----------------------------------------------------------------------------
    def serve(self):
        """The folder, on this machine; -> URL and what was asked for."""
        asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, code="-", size="-"):
                asked.append(self.path)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
            Handler, directory=self.home.folder))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "http://127.0.0.1:%d" % server.server_address[1], asked

    def browse(self, *args):
        # Not below our own, whose name may be too long for the socket that it makes there.
        folder = tempfile.mkdtemp(prefix="browser.", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, True)
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
             "--disable-default-apps", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             "--user-data-dir=" + folder, "--enable-logging=stderr", "--virtual-time-budget=20000", *args],
            env=dict(self.home.env, HOME=folder, TMPDIR=folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace", timeout=support.SAFETY)
        self.assertEqual(done.returncode, 0, done.stderr)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        self.assertEqual(console, [], "neither an error nor a warning")
        return done.stdout

    def test_in_a_browser(self):
        self.fill()
        page = self.page()
        self.home.file("looking.html", LOOKING)
        url, asked = self.serve()
        dom = self.browse("--dump-dom", url + "/looking.html")
        self.assertIn("<title>done</title>", dom)
        looks = [json.loads(html.unescape(text)) for text in re.findall(r"<pre>(.*?)</pre>", dom)]
        self.assertEqual(sorted(look["width"] for look in looks), [360, 1200])
        for look in looks:
            with self.subTest(width=look["width"]):
                self.assertLessEqual(look["scrolls"], look["width"], "no scrolling sideways")
                self.assertEqual(look["wide"], [])
                self.assertEqual(look["requests"], [])
                self.assertEqual(look["scripts"], 0)
                self.assertGreater(look["plot"], 250)
                self.assertGreater(look["letters"], 9, "readable")
                self.assertEqual(look["marks"], [2, 2, 0, 1, 1])
        self.assertLessEqual(set(asked), {"/looking.html", "/report.html", "/favicon.ico"})
        # Alone, as it is kept: the same elements as those that were written, so nothing was mended.
        alone = self.browse("--dump-dom", "file://" + os.path.join(self.home.folder, "report.html"))
        for tag in ("section", "tr", "td", "svg", "path", "figure"):
            self.assertEqual(len(re.findall("<%s[ >]" % tag, alone)), len(re.findall("<%s[ >]" % tag, page)), tag)

    def test_pictures(self):
        """Are there to be looked at where TEST_PICTURES names a folder; never blank."""
        self.fill()
        self.page()
        pictures = os.environ.get("TEST_PICTURES") or self.home.folder
        for name, size in (("desk", "1200,1600"), ("phone", "500,1600")):
            path = os.path.join(pictures, "report-%s.png" % name)
            self.browse("--hide-scrollbars", "--window-size=" + size, "--screenshot=" + path,
                        "file://" + os.path.join(self.home.folder, "report.html"))
            self.assertGreater(os.path.getsize(path), 50000, "of one colour it would be a tenth of that")


if __name__ == "__main__":
    unittest.main()
