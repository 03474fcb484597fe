"""Records say what their fields are below their summary, "name : type" over a description; the site shows that as a list."""

import re

import griffe

_FIELD = re.compile(r"\w[\w, ]* : ")
_SECTION = re.compile(r"^-{3,}$", re.MULTILINE)


class Fields(griffe.Extension):
    """Puts the fields of a class under the heading that the reader of docstrings knows, behind all that is said of the whole."""

    def on_class(self, *, cls, **rest):
        if not cls.docstring or _SECTION.search(cls.docstring.value):
            return
        prose, fields = [], []
        part = prose
        for line in cls.docstring.value.splitlines():
            if not line.startswith(" ") and line:
                part = fields if _FIELD.match(line) else prose
            part.append(line)
        if fields:
            cls.docstring.value = "\n".join([*prose, "", "Attributes", "----------", *fields])
