"""Reading a command line.

The reader is ours because argparse is not strict in GATK's style of options: it takes a mistyped -IP for -I with the value P, refuses
values that begin with a dash (--java-options -Xmx8g), and lets a repeated option replace the first without a word.
"""

import difflib
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from gpuvc.errors import InputError, UsageError
from gpuvc.options.call import NEEDS
from gpuvc.options.kinds import Command, Flag, Noted, Option, Refused, Switch
from gpuvc.options.others import REFUSED_FAMILIES


class Request(NamedTuple):
    """What a command line asks for: parameter → value, notes for the user, and the files that stood for arguments."""

    values: dict
    notes: list
    files: list


def read_options(arguments, command: Command, others=(), words=()) -> Request:
    """The options of one command; parameters that were not given are absent from `values`.

    others
        What the command takes beside its own: NOTED, REFUSED.
    words
        The parameters that take the words which stand alone, in this order.

    Raises
    ------
    UsageError
        An option is unknown, unsupported, repeated, lacks its value or is missing; a value is impossible; a word stands alone.
    InputError
        An --arguments_file cannot be read.
    """
    known = {name: option for option in (*command.options, *others) for name in option.names}
    values: dict[str, Any] = {}
    implied: dict[str, Any] = {}
    given: dict[str, str] = {}
    notes = []
    files: list[str] = []
    rest = _with_argument_files(arguments, files)[::-1]  # a stack, the next token last
    while rest:
        token = rest.pop()
        name, equals, text = token.partition("=")
        option = known.get(name)
        word = next((parameter for parameter in words if parameter not in values), None)
        if option is None and word and not token.startswith("-"):
            given[word], values[word] = token, token
            continue
        if option is None:
            raise UsageError(_unknown(name, known, command.name))
        kind = option.kind if isinstance(option, Option) else option.takes
        text = _take_value(name, kind, text if equals else None, rest, known)
        if isinstance(option, Refused):
            if text is None or text.lower() not in option.does:
                raise UsageError(f"{_spelled(name, option)} is not supported yet: {option.instead}.")
            continue
        value = kind.value if isinstance(kind, Flag) else _read_value(name, kind, text)
        if isinstance(option, Noted):
            notes.append(f"{name}: {option.note}; calls do not depend on it.")
            if option.to:
                implied[option.to] = value
        elif option.repeatable:
            values.setdefault(option.to, []).append(value)
        elif option.to in values:
            raise UsageError(f"option {name}: found it twice (first as {given[option.to]}), expected it once.")
        else:
            given[option.to], values[option.to] = name, value
    for option in command.options:
        if option.required and option.to not in values:
            raise UsageError(f"option {'/'.join(option.names[:2])}: found none, expected {option.help}. See gpuvc {command.name} --help.")
    if values.get("emit_ref_confidence", "NONE") != "NONE" and values.get("standard_min_confidence"):
        notes.append(f"{given['standard_min_confidence']}: with --emit-ref-confidence it is 0, as in GATK.")
    names = {option.to: option.name for option in reversed(command.options)}
    for to, (needed, default) in NEEDS.items():
        is_needed_there = values.get(needed, "NONE") != "NONE"  # a file, or a mode
        if values.get(to, default) != default and not is_needed_there:
            notes.append(f"{names[to]}: it changes nothing without {names[needed]}.")
    if values.get("dragstr_params_path") and values.get("dragstr_pair_hmm_scores", True) and "pcr_indel_model" in values:
        notes.append(f"{given['pcr_indel_model']}: --dragstr-params-path says what gaps cost instead, as in GATK.")
    return Request(implied | values, notes, files)


def _with_argument_files(arguments, files, depth=0):
    """The arguments, each --arguments_file replaced by the words in the file, whose path is added to `files`."""
    words = []
    rest = list(arguments)[::-1]
    while rest:
        word = rest.pop()
        if word.partition("=")[0] != "--arguments_file":
            words.append(word)
            continue
        path = word.partition("=")[2] or (rest.pop() if rest else "")
        if depth == 8:
            raise UsageError(f"option --arguments_file {path}: found files that name each other, expected an end.")
        try:
            text = Path(path).read_text().replace("\\\n", " ")  # shlex would keep the line break that a shell drops
            words += _with_argument_files(shlex.split(text, comments=True), files, depth + 1)
            files.append(path)
        except (OSError, ValueError) as error:
            raise InputError(
                f"arguments in {path or 'no file'}: found it unreadable ({error}), expected words, quoted as in a shell."
            ) from error
    return words


def _take_value(name, kind, text, rest, known):
    """The text that belongs to option `name`: what stood after =, or the next word; None for a flag."""
    if isinstance(kind, Flag):
        if text is not None:
            raise UsageError(f"option {name}: found the value {_short(text)}, expected none.")
        return None
    if isinstance(kind, Switch):
        if text is None:
            return rest.pop() if rest and rest[-1].lower() in ("true", "false") else "true"
        return text
    if text is None and rest and rest[-1].partition("=")[0] not in known:
        text = rest.pop()
    if not text:
        raise UsageError(f"option {name}: found no value, expected {kind.metavar}.")
    return text


def _read_value(name, kind, text):
    try:
        return kind.read(text)
    except ValueError as error:
        raise UsageError(f"option {name}: found {_short(text)}, expected {error}.") from None


def _short(text):
    """The text as a message repeats it."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def _spelled(name, option):
    return name if name == option.names[0] else f"{name} ({option.names[0]})"


def _unknown(name, known, command):
    if not name.startswith("-") or name == "-":
        return f"argument {_short(name)}: found it after no option, expected --option value. See gpuvc {command} --help."
    for family, instead in REFUSED_FAMILIES:
        if name.startswith(family):
            return f"{name} is not supported yet: {instead}."
    return f"option {_short(name)[1:-1]}: found no such option.{did_you_mean(name, known)} See gpuvc {command} --help."


def did_you_mean(word, known):
    """A sentence with the nearest known words, or nothing. Dashes, underscores and capitals do not count."""
    plain = {}
    for other in known:
        plain.setdefault(other.strip("-").lower(), other)
    close = difflib.get_close_matches(word.strip("-").lower().replace("_", "-"), plain, n=3, cutoff=0.7)
    return f" Did you mean {' or '.join(plain[match] for match in close)}?" if close else ""
