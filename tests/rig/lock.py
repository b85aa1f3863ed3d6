"""Writes requirements.lock (server.lock) from what pip resolves for requirements.in (server.in): every
package with its exact version and the hash of the one file that this kind of machine installs. By hand,
when pins change:

    python3 -m venv /tmp/lock && /tmp/lock/bin/python tests/rig/lock.py > requirements.new
    mv requirements.new tests/rig/requirements.lock

With the argument `server`, `runners` or `zenml` it is the one of that .in. What a line `# without NAME` of that file
names is left out.
"""

import json
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

HEADER = """\
# Made by tests/rig/lock.py from {name}.in, for CPython {python} on {system} {machine}. Do not edit.
# Install: pip install --require-hashes -r tests/rig/{name}.lock
"""


def left_out(name):
    with open(os.path.join(HERE, name + ".in"), encoding="utf-8") as file:
        return [line.split()[2] for line in file if line.startswith("# without ")]


def resolve(name):
    """What pip would install into an empty environment, without installing it."""
    without = left_out(name)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
               "--only-binary", ":all:", "--report", "-", "-r",
               os.path.join(HERE, name + ".in")] + ["--no-binary=" + one for one in without]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [item for item in json.loads(answer.stdout)["install"] if item["metadata"]["name"] not in without]


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "requirements"
    print(HEADER.format(name=name, python=".".join(platform.python_version_tuple()[:2]),
                        system=platform.system().lower(), machine=platform.machine()), end="")
    for item in sorted(resolve(name), key=lambda i: i["metadata"]["name"].lower()):
        # Only name, version and hash: where a file came from is the installing machine's business.
        digest = item["download_info"]["archive_info"]["hash"].replace("=", ":", 1)
        print("{}=={} \\\n    --hash={}".format(item["metadata"]["name"].lower(),
                                               item["metadata"]["version"], digest))


if __name__ == "__main__":
    main()
