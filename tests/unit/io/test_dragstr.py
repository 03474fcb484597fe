"""The file of DRAGstr's tables: what is read, and what is refused in which words."""

from decimal import Decimal

import numpy as np
import pytest

from gpuvc.errors import InputError, UsageError
from gpuvc.io.dragstr import Dragstr, read_dragstr, read_tables
from gpuvc.settings import Settings
from tests.conftest import REPOSITORY

MADE_UP = REPOSITORY / "tests" / "golden" / "dragstr.made_up.txt"
GATK = Settings(concordance="hc")
SMALL = """# DragstrParams
    1   2   3
GOP:
45.00 40.25 30.00
39.50 36.00 20.00
GCP:
10.00 10.00 10.00
 5.00  5.00  5.00
API:
39.00 30.00 12.00
30.00 17.00  0.00
"""


@pytest.fixture
def read(tmp_path):
    """Tables of a file with this text; its path is in the errors."""

    def of(text):
        path = tmp_path / "sample.params"
        path.write_text(text)
        return read_tables(path)

    return of


def test_tables(read):
    gap_open, gap_continuation, indel_prior = read(SMALL)
    assert gap_open.tolist() == [[45, 40.25, 30], [39.5, 36, 20]]
    assert gap_continuation.tolist() == [[10] * 3, [5] * 3]
    assert indel_prior.tolist() == [[39, 30, 12], [30, 17, 0]]
    spaced = read(SMALL.replace("\n", "\r\n\r\n"))
    assert all(np.array_equal(one, other) for one, other in zip(spaced, (gap_open, gap_continuation, indel_prior), strict=True))


def test_more_copies_are_those_of_the_last_column(read):
    model = Dragstr(*read(SMALL))
    assert model.n_periods == 2
    assert [model.at(model.gap_open, period, copies) for period, copies in ((1, 1), (1, 3), (2, 2), (2, 77))] == [45, 30, 36, 20]
    assert model.at(model.indel_prior, np.array([1, 2]), np.array([9, 1])).tolist() == [12, 30]


def test_rounded_as_by_gatk():
    """Halves of the decimal that is written go up, whatever the binary number is."""
    values = [40.25, 0.15, 1.05, 3.33]
    model = Dragstr(np.array([values]), np.array([values[::-1]]), np.array([[0.05, 2.0, 12.345, 39.0]]))
    assert [model.rounded(1, copies) for copies in (1, 2, 3, 4)] == [
        (40.3, 3.3, 0.1), (0.2, 1.1, 2.0), (1.1, 0.2, 12.3), (3.3, 40.3, 39.0)
    ]  # fmt: skip
    assert Decimal.from_float(0.15) < Decimal("0.15")


ROW = "39.50 36.00 20.00\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    1   2   3\n", "", "numbers of copies in PATH (line 2): found GOP:, expected 1 2 3 and so on"),
        ("1   2   3", "1   3   2", "numbers of copies in PATH (line 2): found 1 3 2, expected 1 2 3"),
        (ROW, "39.50 36.00\n", "row 2 of GOP in PATH (line 5): found 2 columns, expected 3, one a number of copies"),
        (ROW, "39.50 36.00 20.00 1\n", "row 2 of GOP in PATH (line 5): found 4 columns, expected 3"),
        (ROW, "39.50 x 20.00\n", "row 2 of GOP in PATH (line 5): found x, expected a number"),
        (ROW, "39.50 nan 20.00\n", "row 2 of GOP in PATH (line 5): found nan, expected a finite number from 3.5 up (phred)"),
        (ROW, "39.50 inf 20.00\n", "found inf, expected a finite number from 3.5 up"),
        (ROW, "39.50 3.49 20.00\n", "found 3.49, expected a finite number from 3.5 up"),
        (" 5.00  5.00", " 0.40  5.00", "row 2 of GCP in PATH (line 8): found 0.40, expected a finite number from 0.5 to 127 (phred)"),
        (" 5.00  5.00", "128.0  5.00", "found 128.0, expected a finite number from 0.5 to 127"),
        ("17.00", "-0.01", "row 2 of API in PATH (line 11): found -0.01, expected a finite number from 0 up"),
        ("30.00 17.00  0.00\n", "", "table API in PATH: found 1 rows, expected 2, one a period as in GOP. The file may be cut short"),
        ("API:\n39.00 30.00 12.00\n30.00 17.00  0.00\n", "", "table API in PATH: found no rows, expected 2, one a period as in GOP"),
        ("GOP:\n45.00 40.25 30.00\n39.50 36.00 20.00\n", "", "table GOP in PATH: found no rows, expected 1, one a period."),
        ("GOP:\n", "", "line in PATH (line 3): found 45.00 40.25 30.00, expected the name of a table, such as GOP:."),
        ("GCP:", "GAP:", "table in PATH (line 6): found GAP, expected GOP, GCP, API, each once"),
        ("GCP:", "GOP:", "table in PATH (line 6): found it twice, expected GOP, GCP, API, each once"),
        (SMALL, "# DragstrParams\n\n", "DRAGstr parameters in PATH: found nothing, expected tables"),
        (SMALL, "GOP:" + 99 * " 1", "found GOP: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1..., expected 1 2 3"),
        (SMALL, "\u00b5", "DRAGstr parameters in PATH: found it unreadable ('ascii' codec"),
    ],
)  # fmt: skip
def test_what_is_refused(read, tmp_path, old, new, message):
    assert SMALL.count(old) == 1
    with pytest.raises(InputError) as error:
        read(SMALL.replace(old, new))
    text = str(error.value)
    assert message.replace("PATH", str(tmp_path / "sample.params")) in text and "\n" not in text


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="nowhere: found no such file, expected a text of tables"):
        read_tables(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"found it unreadable .*Is a directory"):
        read_tables(tmp_path)


def test_a_file_that_is_cut_short_is_never_taken_for_whole(read):
    """Wherever a line ends too early, and after any line but the last."""
    text = MADE_UP.read_text()
    for end in range(len(text) - 1):
        if text[end] in " \n" or text[end - 1] in " \n":
            with pytest.raises(InputError):
                read(text[:end])


def test_uses(tmp_path):
    assert read_dragstr(None, Settings()) is None
    model = read_dragstr(MADE_UP, GATK, 5, False, False)
    assert model[3:] == (5, False, False) and model.gap_open.shape == (8, 20)
    assert read_dragstr(MADE_UP, GATK)[3:] == (2, True, True)
    with pytest.raises(UsageError, match="--dragstr-het-hom-ratio: found 0, expected 1 or more"):
        read_dragstr(MADE_UP, GATK, 0)
    for settings in (Settings(), Settings(engine="pileup", concordance="hc")):
        with pytest.raises(UsageError, match="--dragstr-params-path: found it with gpuvc's own model, expected --concordance hc"):
            read_dragstr(MADE_UP, settings)
