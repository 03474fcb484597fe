"""Run command lines on a file system of a few kB; run by test_full_disk.py in a mount namespace of its own.

    on_a_small_disk.py FOLDER < [[kB of room, [words of the command line]], ...]     no room: null, a disk that is read only

FOLDER is covered by a tmpfs, a new one each time, that only this process sees. Writes a JSON list of [exit code, standard error, names of
files left].
"""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

from gpuvc.cli import main

SIZE_KB = 128


def run(folder, room_kb, words):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        sys.exit(f"no tmpfs: {mounted.stderr.strip()}")
    if room_kb is None:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    else:
        (folder / "ballast").write_bytes(bytes((SIZE_KB - room_kb) << 10))
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(words)
    return code, said.getvalue(), [path.name for path in folder.rglob("*") if path.is_file() and path.name != "ballast"]


if __name__ == "__main__":
    print(json.dumps([run(Path(sys.argv[1]), *case) for case in json.load(sys.stdin)]))
