"""The rules of the house that can be read from the text of the tree alone. Called by tools/lint/lint.

Each rule is a function from a Tree to a list of problems, one line each, "FILE:LINE: what". RULES at
the end names them. What a rule forbids and why stands in CONTRIBUTING.md and in the rule's docstring.
"""

import ast
import os
import re
import subprocess

# ---- the layer rule: who may include whom (besides itself and <ctcd/...>) -------------------------
LAYERS = {
    "base": [],
    "io": ["base"],
    "core": ["base"],
    "protocols": ["io/json.h", "base"],
    "store": ["io", "base"],
    "kube": ["io", "base"],
    "deployers": ["kube", "protocols", "io", "base"],
    "engine": ["core", "protocols", "store", "io", "base"],
    "api": ["engine", "core", "protocols", "store", "io", "base"],
    "shim": ["io/alive.h", "io/marked.h", "io/rotate.h", "base"],
    "cli": [],
    "examples": [],
    "tests/api": [],
}
# The one place that knows which back ends are built in.
LAYER_EXCEPTIONS = {("lib/api/context.c", "deployers/builtin.h")}

# Headers of other libraries, each with the one file that may include it somewhere below lib/.
FOREIGN = ["curl/curl.h", "jansson.h", "yaml.h", "sqlite3.h"]

FUNCTION_LINES = 100
FILE_LINES = 900
BAD_NAMES = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}

# What the library must never do in its caller's process. Memory goes through base/mem, so that every
# allocation can be made to fail in a test.
MEMORY_CALLS = ["malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "asprintf",
                "vasprintf", "getline", "getdelim", "open_memstream"]
PROCESS_CALLS = ["exit", "abort", "setlocale", "printf", "vprintf", "puts", "putchar", "perror"]


class Tree:
    """The files of a checkout that count: what git tracks or would track, else all but build/."""

    def __init__(self, root):
        self.root = root
        self._text = {}
        self._code = {}
        try:
            out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
            top = subprocess.run(["git", "rev-parse", "--show-prefix"], cwd=root,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
            names = out.decode().split("\0") if not top.strip() else self.walk()
        except (OSError, subprocess.CalledProcessError):
            names = self.walk()
        self.files = sorted(n for n in set(names) if n and os.path.isfile(os.path.join(root, n)))

    def walk(self):
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", "build", "__pycache__")]
            for name in files:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def c_files(self, *below):
        return [f for f in self.files if f.endswith((".c", ".h"))
                and (not below or f.startswith(tuple(b + "/" for b in below)))]

    def text(self, name):
        if name not in self._text:
            with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as f:
                self._text[name] = f.read()
        return self._text[name]

    def code(self, name):
        """The text with comments and the insides of literals blanked; lines stay lines."""
        if name not in self._code:
            self._code[name] = NOT_CODE.sub(blank, self.text(name))
        return self._code[name]


NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def blank(match):
    piece = match.group(0)
    if piece[0] in "\"'":
        return piece[0] + " " * (len(piece) - 2) + piece[0]
    return re.sub(r"[^\n]", " ", piece)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def layer_of(name):
    parts = name.split("/")
    if parts[0] == "lib" and len(parts) > 2:
        return parts[1]
    if parts[0] == "tests":
        return "/".join(parts[:2])
    return parts[0]


def layers(tree):
    """Includes point downwards only, and are written from lib/ on."""
    problems = []
    for name in tree.c_files():
        layer = layer_of(name)
        for match in INCLUDE.finditer(tree.text(name)):
            kind, path = match.groups()
            where = "%s:%d: " % (name, line_of(tree.text(name), match.start()))
            if kind == "<":
                if path.startswith("ctcd/") and "include/" + path not in tree.files:
                    problems.append(where + "there is no public header <%s>" % path)
            elif ".." in path.split("/"):
                problems.append(where + 'an include is written from lib/ on, not with "..": %s' % path)
            elif layer == "tests/api" or (layer.startswith("tests") and "/" not in path):
                if "lib/" + path in tree.files and layer == "tests/api":
                    problems.append(where + "API tests see public headers only, not %s" % path)
            elif "lib/" + path not in tree.files:
                if os.path.dirname(name) + "/" + path not in tree.files:
                    problems.append(where + 'there is no lib/%s (public headers: <ctcd/...>)' % path)
                elif name.startswith("lib/"):
                    problems.append(where + 'write it from lib/ on: "%s/%s"' % (
                        os.path.dirname(name)[4:], path))
            elif not layer.startswith("tests") and not may_include(name, layer, path):
                problems.append(where + "%s must not include %s (allowed: %s)" % (
                    layer, path, ", ".join(LAYERS.get(layer, [])) or "public headers only"))
    for folder in {layer_of(n) for n in tree.c_files("lib")} - set(LAYERS):
        problems.append("lib/%s: no such module in the house plan (tools/lint/rules.py)" % folder)
    return problems


def may_include(name, layer, path):
    target = path.split("/")[0]
    if target == layer and layer == "deployers":
        # One back end does not know another; what stands beside the folders is shared.
        return "/" not in path[len("deployers/"):] or (
            path.split("/")[1] == name.split("/")[2] or name == "lib/deployers/builtin.c")
    if target == layer:
        return True
    if (name, path) in LAYER_EXCEPTIONS:
        return True
    return any(path == allowed or target == allowed for allowed in LAYERS.get(layer, []))


def wrappers(tree):
    """Each foreign library has one wrapper: its header is included by exactly one .c file."""
    problems = []
    for header in FOREIGN:
        users = sorted({name for name in tree.c_files("lib", "cli", "shim", "include", "examples")
                        for match in INCLUDE.finditer(tree.text(name)) if match.group(2) == header})
        if len(users) > 1:
            problems.append("%s: included by %d files, its wrapper must be the only one: %s" % (
                users[1], len(users), "<%s>: %s" % (header, ", ".join(users))))
        problems += ["%s:1: <%s> in a header lets it out of its wrapper" % (u, header)
                     for u in users if u.endswith(".h")]
    return problems


def calls(tree):
    """The library allocates through base/mem, prints nothing and never ends its caller."""
    problems = []
    for name in tree.c_files("lib"):
        words = list(PROCESS_CALLS)
        if not name.startswith("lib/base/mem."):
            words += MEMORY_CALLS
        pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(words))
        code = tree.code(name)
        for match in pattern.finditer(code):
            what = "goes through base/mem.h" if match.group(1) in MEMORY_CALLS else \
                "has no place in the library"
            problems.append("%s:%d: %s() %s" % (name, line_of(code, match.start()), match.group(1), what))
        for match in re.finditer(r"\b(_Thread_local|__thread)\b", code):
            problems.append("%s:%d: no thread-local state" % (name, line_of(code, match.start())))
    return problems


# ---- lengths ------------------------------------------------------------------------------------
def c_functions(tree, name):
    """(name, first line, lines) of the function definitions; K&R, so both ends stand at column 0."""
    lines = tree.code(name).split("\n")
    start = None
    for i, line in enumerate(lines):
        if start is None:
            if line.rstrip().endswith("{") and (line[:1].isalpha() or line[:1] == "_" or
                                                line[:1] in " \t{"):
                head = i
                while head > 0 and lines[head][:1] in (" ", "\t", "{", ")"):
                    head -= 1
                signature = " ".join(lines[head:i + 1])
                found = re.search(r"(\w+)\s*\(", signature)
                if line[:1] in " \t" and not signature.rstrip().endswith(") {"):
                    continue
                if found and "=" not in signature.split("(")[0] and lines[head][:1] not in (" ", "\t"):
                    start = (found.group(1), head)
        elif line.rstrip() in ("}", "};"):
            yield start[0], start[1] + 1, i - start[1] + 1
            start = None


def lengths(tree):
    """A function is a screen, a file a chapter."""
    problems = []
    for name in tree.files:
        shell = not os.path.splitext(name)[1] and tree_is_script(tree, name)
        if not (name.endswith((".c", ".h", ".py", ".sh")) or name == "Makefile" or shell):
            continue
        n = tree.text(name).count("\n")
        if n > FILE_LINES:
            problems.append("%s:%d: the file has %d lines, %d are the limit" % (name, n, n, FILE_LINES))
        if name.endswith((".c", ".h")):
            found = c_functions(tree, name)
        elif name.endswith(".py") or (shell and "python" in tree.text(name).split("\n")[0]):
            found = python_functions(tree.text(name))
        else:
            continue
        for function, line, count in found:
            if count > FUNCTION_LINES:
                problems.append("%s:%d: %s() has %d lines, %d are the limit" % (
                    name, line, function, count, FUNCTION_LINES))
    return problems


def tree_is_script(tree, name):
    return name.startswith(("tools/", ".ci/", "tests/", "examples/")) and \
        tree.text(name).startswith("#!")


def python_functions(text):
    try:
        module = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def names(tree):
    """A file says what it holds, in its name and in its first lines."""
    problems = []
    for name in tree.files:
        stem = os.path.splitext(os.path.basename(name))[0].lower()
        if BAD_NAMES & set(re.split(r"[_\-.]", stem)):
            problems.append("%s: the name does not say what the file holds" % name)
        if name.endswith((".c", ".h")) and not tree.text(name).lstrip().startswith("/*"):
            problems.append("%s:1: a file opens with two or three lines: what it is for, who calls it" % name)
    return problems


# ---- the public interface -----------------------------------------------------------------------
class Declaration:
    def __init__(self, header, line, name, comment, text):
        self.header, self.line, self.name, self.comment, self.text = header, line, name, comment, text
        since = re.findall(r"@since (\d+\.\d+)", comment)
        self.since = since[-1] if since else None

    def __str__(self):
        return "%s:%d: %s()" % (self.header, self.line, self.name)


def declarations(tree):
    """Every CTCD_API declaration with the comment that stands directly above it."""
    found = []
    for header in tree.c_files("include"):
        text, code = tree.text(header), tree.code(header)
        for match in re.finditer(r"^CTCD_API\b[^;{]*;", code, re.M):
            name = re.search(r"\b(ctcd_\w+)\s*\(", match.group(0))
            before = text[:match.start()]
            comment = ""
            if before.rstrip().endswith("*/"):
                comment = before[before.rfind("/*"):]
            found.append(Declaration(header, line_of(text, match.start()),
                                     name.group(1) if name else match.group(0).strip()[:60],
                                     comment if comment.startswith("/**") else "", match.group(0)))
    return found


def docs(tree):
    """Every public function has its comment, with @threads and @since, and true @param names."""
    problems = []
    codes = {m for h in tree.c_files("include")
             for m in re.findall(r"^#define (CTCD_\w+)", tree.text(h), re.M)}
    for d in declarations(tree):
        if not d.comment:
            problems.append("%s has no comment" % d)
            continue
        for tag in ("@threads", "@since"):
            if tag not in d.comment:
                problems.append("%s: its comment lacks %s" % (d, tag))
        words = set(re.findall(r"\w+", d.text))
        for parameter in re.findall(r"@p(?:aram)? (\w+)", d.comment):
            if parameter not in words:
                problems.append("%s: its comment speaks of a parameter %s" % (d, parameter))
        for code in re.findall(r"@retval (CTCD_\w+)", d.comment):
            if code not in codes:
                problems.append("%s: its comment names %s, which no header defines" % (d, code))
    return problems


def tested(tree):
    """Every public function is mentioned by a test, or used by the command, which tests/cli runs."""
    seen = set()
    for name in tree.files:
        if name.startswith(("tests/", "cli/")) and name.endswith((".c", ".h", ".py")):
            seen |= set(re.findall(r"\bctcd_\w+", tree.text(name)))
    return ["%s: no test mentions it" % d for d in declarations(tree) if d.name not in seen]


def map_names(tree):
    """{name: version} of the version script."""
    found, version = {}, None
    for line in tree.text("lib/libctcd.map").split("\n"):
        node = re.match(r"CTCD_(\d+\.\d+) \{", line)
        if node:
            version = node.group(1)
        for name in re.findall(r"^\s+(ctcd_\w+);", line):
            found[name] = version
    return found


def exports(tree):
    """The map holds exactly what the headers declare, at the version of its @since."""
    declared, mapped = {d.name: d for d in declarations(tree)}, map_names(tree)
    problems = ["%s is not in lib/libctcd.map (make map)" % declared[n]
                for n in sorted(set(declared) - set(mapped))]
    problems += ["lib/libctcd.map: %s is in no public header" % n
                 for n in sorted(set(mapped) - set(declared))]
    problems += ["%s: @since %s, but CTCD_%s in lib/libctcd.map" % (d, d.since, mapped[n])
                 for n, d in sorted(declared.items()) if n in mapped and mapped[n] != d.since]
    return problems


# ---- the rest -----------------------------------------------------------------------------------
MACHINE_PATH = re.compile(r"(?<![\w.$}~)\]/-])/(?:work|farm|root|home/[a-z]\w*)/")
REGISTRY = re.compile(r"--(?:extra-)?index-url|files\.pythonhosted\.org|\bpypi\.org\b")


def paths(tree):
    """No path of one machine and no registry's host name."""
    problems = []
    for name in tree.files:
        if name in ("tools/lint/rules.py", "LICENSE") or b"\0" in tree.text(name)[:4096].encode():
            continue
        for i, line in enumerate(tree.text(name).split("\n"), 1):
            for pattern in (MACHINE_PATH, REGISTRY):
                match = pattern.search(line)
                if match:
                    problems.append("%s:%d: belongs to one machine: %s" % (name, i, match.group(0)))
    return problems


def left_over(tree):
    """Nothing half done is committed."""
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    problems = []
    for name in tree.files:
        if name.endswith((".c", ".h", ".py", ".sh", ".md", "Makefile")) and not name.startswith("tools/lint/"):
            for i, line in enumerate(tree.text(name).split("\n"), 1):
                match = pattern.search(re.sub(r"X{4,}", "", line))
                if match:
                    problems.append("%s:%d: %s: finish it or take it out" % (name, i, match.group(1)))
    return problems


def scripts(tree):
    """What begins with #! can be executed, and its shell can read it."""
    problems = []
    for name in tree.files:
        first = tree.text(name)[:60].split("\n")[0] if "/" in name else ""
        if not first.startswith("#!"):
            continue
        path = os.path.join(tree.root, name)
        if not os.access(path, os.X_OK):
            problems.append("%s:1: begins with #! and is not executable" % name)
        shell = re.search(r"\b(bash|sh)$", first)
        if shell:
            p = subprocess.run([shell.group(1), "-n", path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            problems += ["%s: %s" % (name, line) for line in p.stdout.split("\n") if line]
    return problems


RULES = {f.__name__.replace("_", "-"): f for f in
         (layers, wrappers, calls, lengths, names, docs, tested, exports, paths, left_over, scripts)}
