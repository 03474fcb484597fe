"""docs/notebooks run from a fresh kernel as they stand, and show what they showed; cells tagged "timing" depend on the machine.

    python -m tests.docs.test_notebooks        # runs them and keeps what they show
"""

import re
import sys
import time

import pytest

from tests.conftest import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 400_000
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


def executed(path, folder):
    """The notebook after a run in a fresh kernel whose working directory is `folder`."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, record_timing=False
    ).execute()  # fmt: skip
    return notebook


def shown(cell):
    """What a reader sees of a cell's outputs, to be compared: text and our own HTML as they are, data frames by size, pictures as such."""
    parts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            parts += [output.text] if output.name == "stdout" else []
            continue
        data = output.get("data", {})
        html = data.get("text/html", "")
        if "image/png" in data:
            parts.append("picture")
        elif 'class="dataframe"' in html:
            parts += re.findall(r"\d+ rows × \d+ columns", html) or ["data frame"]
        else:
            parts.append(html or data.get("text/plain", ""))
    return parts


def is_timing(cell):
    return "timing" in cell.metadata.get("tags", ())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_the_same(path, tmp_path):
    kept, now = nbformat.read(path, as_version=4), executed(path, tmp_path)
    compared = 0
    for number, (before, after) in enumerate(zip(kept.cells, now.cells, strict=True)):
        assert before.source == after.source
        if before.cell_type == "code" and not is_timing(before):
            assert shown(before) == shown(after), f"cell {number}: python -m tests.docs.test_notebooks keeps what is shown now"
            compared += bool(shown(before))
    assert compared >= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_fit_to_be_kept(path):
    text = path.read_text()
    assert len(text) < MOST_BYTES
    assert not re.search(r"/(home|root|tmp|work|Users|usr|opt|var)/", text) and str(REPOSITORY) not in text
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs) and any("assert " in cell.source for cell in notebook.cells)


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["1-first-calls", "2-inside-one-locus", "3-measure"]


def keep(path, folder):
    """Run the notebook and write it back with what it showed, less what differs from run to run."""
    notebook = executed(path, folder)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"},
    }  # fmt: skip
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {"tags": list(cell.metadata.get("tags", []))} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]  # progress bars
    nbformat.write(notebook, path)


if __name__ == "__main__":
    import tempfile

    for notebook_path in NOTEBOOKS:
        if sys.argv[1:] and notebook_path.stem not in sys.argv[1:]:
            continue
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            keep(notebook_path, scratch)
        print(f"{notebook_path.name}: {notebook_path.stat().st_size:,} bytes, {time.perf_counter() - begun:.0f} s")
