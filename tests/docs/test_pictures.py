"""The pictures of docs/how-it-works.md show what today's code makes of the bundled reads."""

import re
import runpy

import pytest

from tests.conftest import REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with all of them, drawn now."""
    folder = tmp_path_factory.mktemp("pictures")
    runpy.run_path(str(PICTURES / "draw.py"))["draw"](folder)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".svg", ".png"))


def test_those_in_the_repository_are_those_that_are_drawn(drawn):
    assert names(drawn) == names(PICTURES)
    assert all((PICTURES / name).stat().st_size < MOST_BYTES for name in names(PICTURES))


@pytest.mark.parametrize("name", ["pipeline.svg", "graph.svg"])
def test_their_figures_are_current(name, drawn):
    texts = [re.findall(r"<text[^>]*>([^<]*)</text>", (folder / name).read_text()) for folder in (PICTURES, drawn)]
    assert texts[0] == texts[1] and len(texts[0]) > 10, "python docs/pictures/draw.py"


def test_the_page_shows_each_and_says_what_it_is_of():
    page = (REPOSITORY / "docs" / "how-it-works.md").read_text()
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([^)]+)\)", page)
    assert sorted(name for _, name in shown) == names(PICTURES) and all(len(text) > 20 for text, _ in shown)
