"""Pages do what they say: their commands are run in a folder of their own, and print what stands below them.

In a ```console block a line behind "$ " is a command, and the lines up to the next one are what it prints, errors included. A line "..."
stands for any lines, "..." within a line for any text; seconds are not compared. A comment before the block says which programs it needs
beside gpuvc, or why it is not run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

PAGES = {name: REPOSITORY / f"{name}.md" for name in ("README", "docs/index", "docs/first-steps", "docs/explain", "docs/evaluate")}
BLOCK = re.compile(r"(?:<!-- (?P<tag>needs|not run): (?P<what>.*?) -->\n)?```console\n(?P<lines>.*?)```\n", re.DOTALL)
TOOLS = {"gatk": os.environ.get("GPUVC_GATK")}


def steps():
    """[(page, command, what it prints, programs it needs)] in order."""
    found = []
    for name, page in PAGES.items():
        for block in BLOCK.finditer(page.read_text()):
            if block["tag"] == "not run":
                continue
            for part in re.split(r"^\$ ", block["lines"], flags=re.MULTILINE)[1:]:
                command, _, expected = part.partition("\n")
                found.append(pytest.param(name, command, expected, (block["what"] or "").split(), id=f"{name}-{command[:60]}"))
    return found


def path_of(tool):
    return TOOLS.get(tool) or shutil.which(tool)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A bash beside the bundled data that stays in its folder from one command of a page to the next: page, command → code, output."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "reference").symlink_to(REPOSITORY / "reference")
    programs = folder / "programs"
    programs.mkdir()
    for name, call in {"gpuvc": [sys.executable, "-m", "gpuvc"], "python": [sys.executable], "gatk": [path_of("gatk")]}.items():
        if all(call):
            (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n')
            (programs / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    here = dict.fromkeys(PAGES, folder)

    def run(page, command):
        script = f"{command}\nstatus=$?; pwd > '{folder}/where'; exit $status"
        done = subprocess.run(["bash", "-c", script], cwd=here[page], env=environment, capture_output=True, text=True, timeout=600)
        here[page] = (folder / "where").read_text().strip()
        return done.returncode, re.sub(r" +$", "", done.stdout + done.stderr, flags=re.MULTILINE)

    return run


def pattern(expected):
    """A regular expression of what the page shows."""
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n|\.\.\.", expected, flags=re.MULTILINE)]
    gaps = [r"(?:.*\n)*" if gap == "...\n" else r".*" for gap in re.findall(r"^\.\.\.\n|\.\.\.", expected, flags=re.MULTILINE)]
    text = "".join(part + gap for part, gap in zip(parts, [*gaps, ""]))
    compiling = r"(?:, most of them to compile kernels, once on this machine \\(\\d+ s\\))?"
    return re.sub(r"in\\ [0-9.\\]+\\ s", r"in\\ [0-9.,]+\\ s" + compiling, text)


@pytest.mark.parametrize("page, command, expected, needs", steps())
def test_command_prints_what_the_page_shows(page, command, expected, needs, shell):
    for tool in needs:
        if not path_of(tool):
            pytest.skip(f"{tool} is not here")
    code, printed = shell(page, command)
    assert code == 0, printed
    assert re.fullmatch(pattern(expected), printed), f"the page shows:\n{expected}\nit printed:\n{printed}"


def test_the_pages_have_commands():
    assert len(steps()) > 20 and {step.values[0] for step in steps()} == set(PAGES)
