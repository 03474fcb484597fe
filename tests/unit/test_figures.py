"""The same picture is the same bytes, whoever draws it and whatever look he has set."""

import importlib.util
from xml.etree import ElementTree

import pytest

from gpuvc.errors import UsageError
from gpuvc.output import figures


def drawn(suffix):
    with figures.figure(3, 2) as (figure, axes):
        axes.plot([1, 2, 3], [2, 1, 3], color=figures.BLUE, label="a < b")
        axes.legend()
        return figures.image(figure, suffix)


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_same_bytes_under_any_look(suffix):
    import matplotlib as mpl

    first = drawn(suffix)
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": None, "axes.grid": False}):
        assert drawn(suffix) == first


def test_svg_is_an_element_with_its_text():
    with figures.figure(3, 2) as (figure, axes):
        axes.set_title("reads & depth")
        text = figures.svg(figure)
    assert text.startswith("<svg") and "Date" not in text and "http://matplotlib" not in text
    assert "reads & depth" in "".join(ElementTree.fromstring(text).itertext())


def test_without_matplotlib(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "matplotlib" else find(name, *more))
    with pytest.raises(UsageError, match=r"--report x.html: found no Matplotlib, .* pip install 'gpuvc\[plots\]'"):
        figures.require_matplotlib("option --report x.html")
