"""A short run of the fuzzing harness: fixed numbers, all formats. The long one: python -m tests.fuzz --inputs 20000 --jobs 2"""

import os
import subprocess
import sys

from tests.conftest import REPOSITORY


def test_damaged_inputs_end_in_the_right_answer_or_a_clear_error():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", "800", "--jobs", "2"], capture_output=True, text=True, errors="replace",
        cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
