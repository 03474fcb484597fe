"""Run one pipeline and say what it cost: a script of its own, so small that its memory is not taken for that of the commands.

A process's peak memory, as the kernel counts it, begins with that of the process which started it. Reads JSON from standard input:
{"commands": [[word, ...], ...], "stdout": path or null, "folder": path}; writes {"cpu_s", "wall_s", "peak_bytes", "failed": text or null}.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def main():
    asked = json.load(sys.stdin)
    with tempfile.TemporaryFile() as errors, open(asked["stdout"] or os.devnull, "wb") as last_output:
        began = time.perf_counter()
        processes, source = [], subprocess.DEVNULL
        for i, words in enumerate(asked["commands"]):
            target = last_output if i == len(asked["commands"]) - 1 else subprocess.PIPE
            process = subprocess.Popen(words, stdin=source, stdout=target, stderr=errors, cwd=asked["folder"])
            if source is not subprocess.DEVNULL:
                source.close()
            source = process.stdout
            processes.append(process)
        cpu_s, peak_bytes = 0.0, 0
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu_s += usage.ru_utime + usage.ru_stime
            peak_bytes = max(peak_bytes, usage.ru_maxrss * 1024)
        wall_s = time.perf_counter() - began
        failed = None
        if any(process.returncode for process in processes):
            errors.seek(0)
            failed = "\n".join(errors.read().decode(errors="replace").strip().splitlines()[-5:])
    json.dump({"cpu_s": cpu_s, "wall_s": wall_s, "peak_bytes": peak_bytes, "failed": failed}, sys.stdout)


if __name__ == "__main__":
    main()
