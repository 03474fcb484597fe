"""What an option is, and what a command: the records that the tables are made of."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gpuvc.settings import PEER_DEFAULTS, Settings

FILES, PLACES, READS, CALLING, HAPLOTYPES, CONFIDENCE, MACHINE, WORDS = (
    "input and output",
    "where to call",
    "reads and bases",
    "calling",
    "the haplotype engine",
    "where nothing varies",
    "machine",
    "words",
)


class Text(NamedTuple):
    """Any text."""

    metavar: str = "TEXT"

    def read(self, text):
        return text


class Integer(NamedTuple):
    """A whole number in [least, most]."""

    least: int = 0
    most: int = 2**31 - 1
    metavar: str = "N"

    def read(self, text):
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or not self.least <= int(text) <= self.most:
            raise ValueError(f"a whole number from {self.least}" + (f" to {self.most}" if self.most < 2**31 - 1 else " up"))
        return int(text)


class Number(NamedTuple):
    """A number in [least, most)."""

    least: float = 0.0
    most: float = float("inf")
    metavar: str = "X"

    def read(self, text):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not self.least <= value < self.most:
            raise ValueError(f"a number from {self.least:g}" + (f" to below {self.most:g}" if self.most < float("inf") else " up"))
        return value


class Choice(NamedTuple):
    """One of a few words; capitals do not matter."""

    words: tuple

    @property
    def metavar(self):
        return "{" + ",".join(self.words) + "}"

    def read(self, text):
        for word in self.words:
            if word.lower() == text.lower():
                return word
        raise ValueError(" or ".join(self.words))


class Switch(NamedTuple):
    """--option, --option true or --option false; `inverted` when true of the option is false of the parameter."""

    inverted: bool = False
    metavar: str = "[true|false]"

    def read(self, text):
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return (text.lower() == "true") != self.inverted


class Flag(NamedTuple):
    """--option, and no value; `value` is what the parameter becomes."""

    value: object = True
    metavar: str = ""


@dataclass(frozen=True)
class Option:
    """`to`: the field of Settings or the argument of `gpuvc.call_variants` that it sets."""

    group: str
    names: tuple[str, ...]  # GATK's long name first, then its short ones, then aliases
    to: str
    kind: Any
    help: str
    repeatable: bool = False
    required: bool = False

    @property
    def name(self):
        return self.names[0]

    @property
    def default(self):
        """Of the field of Settings that it sets, in the option's own words; None when it sets another argument, or a list."""
        default = getattr(Settings(), self.to, ())
        if default == () or self.repeatable or isinstance(self.kind, Flag):
            return None
        return self._in_words(default)

    @property
    def default_shown(self):
        """`default`, and what it is with a --concordance where that differs; None as there."""
        shown = self.default
        for peer, defaults in PEER_DEFAULTS.items():
            if self.to in defaults and self._in_words(defaults[self.to]) != self.default:
                shown += f"; {self._in_words(defaults[self.to])} with --concordance {peer}"
        return shown

    def _in_words(self, value):
        return str(value != self.kind.inverted).lower() if isinstance(self.kind, Switch) else str(value)


class Noted(NamedTuple):
    """Accepted, with a note: it cannot change calls. `to`: the parameter that it sets all the same, if no option of ours does."""

    names: tuple
    takes: Any
    note: str
    to: str | None = None


class Refused(NamedTuple):
    """Refused by name, unless the value asked for (`does`, lower case) is what is done anyway."""

    names: tuple
    instead: str
    takes: Any = Text()
    does: tuple = ()


class Command(NamedTuple):
    """One command: `gpuvc NAME`.

    usage, about, files
        Of its help: the line behind "usage:", what it does, its output files. `summary`: one line for the list of commands.
    """

    name: str
    usage: str
    summary: str
    about: str
    options: tuple
    files: str = ""
