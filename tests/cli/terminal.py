"""Running the command on a terminal of a given width, for the suites beside this file."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support


def on_terminal(home, *args, columns=200, env=None):
    """The command with all three standard files on a terminal; -> Result, all output in .out."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    argv = [home.ctcd] + [str(a) for a in args]
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            for fd in (0, 1, 2):
                os.dup2(theirs, fd)
            os.closerange(3, 256)
            os.chdir(home.folder)
            os.execve(argv[0], argv, {**home.env, "TERM": "xterm", **(env or {})})
        finally:
            os._exit(127)
    os.close(theirs)
    said, end = b"", time.monotonic() + support.SAFETY
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                part = os.read(ours, 65536)
            except OSError:  # what Linux says when the other side is closed
                break
            if not part:
                break
            said += part
    finally:
        os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out = said.decode("utf-8", "replace").replace("\r\n", "\n")
    return support.Result(["ctcd"] + argv[1:], status, out, "")


def box(rows, centred=False, title=None):
    """The table of the seed's style that rows should give, written down a second time: heavy lines
    outside, light ones inside, each column as wide as its widest cell."""
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]

    def rule(left, line, cross, right):
        return left + cross.join(line * (w + 2) for w in widths) + right

    def cells(row):
        texts = []
        for i, cell in enumerate(row):
            room = widths[i] - width(cell)
            left = room // 2 if centred and i == 0 else 0
            texts.append(" " * (left + 1) + cell + " " * (room - left + 1))
        return "┃" + "│".join(texts) + "┃"

    lines = []
    if title is not None:
        room = sum(widths) + 3 * len(widths) + 1 - len(title)
        lines.append(" " * (room // 2) + title + " " * (room - room // 2))
    lines += [rule("┏", "━", "┯", "┓"), cells(rows[0])]
    for row in rows[1:]:
        lines += [rule("┠", "─", "┼", "┨"), cells(row)]
    return "\n".join(lines + [rule("┗", "━", "┷", "┛")]) + "\n"


def width(text):
    return sum(2 if c in "✅❗⏳❓👉" else 1 for c in text)
