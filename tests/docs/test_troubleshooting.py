"""The page on failing runs holds what the program says, and the program says what the page holds."""

import re

from gpuvc.options.showing import EXIT_CODES
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
MESSAGES = [row[0] for row in re.findall(r"^\| `([^`]+)` \|(.*)\|$", PAGE, re.MULTILINE)]


def test_every_message_of_the_page_is_in_the_code():
    source = "".join(path.read_text() for path in [*(REPOSITORY / "gpuvc").rglob("*.py"), *(REPOSITORY / "kernels").rglob("*.py")])
    joined = re.sub(r'"\s*\n\s*f?"', "", source)  # literals that a line break parts
    assert len(MESSAGES) > 40
    assert [message for message in MESSAGES if message not in joined] == []


def test_every_exit_code_is_in_the_page():
    rows = re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == {code for code, _ in EXIT_CODES} - {0}
