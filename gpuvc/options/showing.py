"""Options as --help and as docs/options.md show them, and the exit codes."""

from gpuvc.options import COMMANDS
from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import Command
from gpuvc.options.others import NOTED, REFUSED, REFUSED_FAMILIES

EXIT_CODES = (
    (0, "done: the output is whole"),
    (1, "an input is missing, malformed, or does not fit the others"),
    (2, "the request is wrong: an unknown or unsupported option, an impossible value"),
    (3, "no usable device, or too little memory on it"),
    (4, "the output cannot be written"),
    (70, "a fault in gpuvc, with a traceback"),
    (130, "interrupted (Ctrl-C)"),
    (137, "out of memory"),
    (141, "the reader of standard output went away"),
    (143, "terminated"),
)


def help_text(command: Command) -> str:
    """What --help prints: options by group, names in front, the explanation below."""
    lines = [f"usage: {command.usage}", "", command.about]
    for group in dict.fromkeys(option.group for option in command.options):
        lines += ["", f"{group}:"]
        for option in command.options:
            if option.group == group:
                default = f" (default: {option.default_shown})" if option.default is not None else ""
                lines.append(f"  {', '.join(option.names)} {option.kind.metavar}".rstrip())
                lines.append(f"      {option.help}{default}")
    lines += ["", command.files] if command.files else []
    return "\n".join([*lines, "", exit_codes_text()]) + "\n"


def exit_codes_text() -> str:
    return "\n".join(["exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)])


def markdown() -> str:
    """docs/options.md: every command that is registered."""
    lines = [
        "# Options",
        "",
        "Made by `python -m gpuvc.options > docs/options.md`; edit `gpuvc/options/` instead. `gpuvc COMMAND --help` says the same.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(_row(f"[`gpuvc {command.name}`](#gpuvc-{command.name})", command.summary) for command in COMMANDS.values()),
        "",
        "GATK HaplotypeCaller's long and short names come first, Parabricks' names are aliases. `--option=value` works too, and a switch",
        "takes `true` or `false`. `--arguments_file FILE`, where it is listed, reads further options from a file. Nothing is ignored in",
        "silence: an option is honoured, accepted with a note when it cannot change calls, or refused by name with exit code 2.",
    ]
    for command in COMMANDS.values():
        lines += ["", f"## gpuvc {command.name}", "", *command.about.splitlines(), "", *_indented(command.usage)]
        # The tables of `gpuvc call` are long: what other commands take of them they name.
        shared = [option for option in command.options if command.name != "call" and option in CALL_OPTIONS]
        for group in dict.fromkeys(option.group for option in command.options if option not in shared):
            lines += ["", f"### {group.capitalize()}" + ("" if command.name == "call" else f" (gpuvc {command.name})"), ""]
            lines += ["| option | value | default | meaning |", "|---|---|---|---|"]
            for option in command.options:
                if option.group == group and option not in shared:
                    value = _code([option.kind.metavar.replace(",", ", ")]) if option.kind.metavar else ""  # a long choice may wrap
                    lines.append(_row(_code(option.names), value, option.default_shown or "", option.help))
        if shared:
            lines += ["", "As for [`gpuvc call`](#gpuvc-call):", "", "| | options |", "|---|---|"]
            for group in dict.fromkeys(option.group for option in shared):
                lines.append(_row(group, _code(option.name for option in shared if option.group == group)))
        if command.files:
            lines += ["", *_indented(command.files)]
        if command.name == "call":
            lines += _noted_and_refused()
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|", *(_row(str(code), meaning) for code, meaning in EXIT_CODES)]
    return "\n".join(lines) + "\n"


def _noted_and_refused():
    lines = ["", "### Accepted with a note", "", "They cannot change calls.", "", "| option | note |", "|---|---|"]
    lines += [_row(_code(option.names), option.note) for option in NOTED]
    lines += ["", "### Refused", "", "Unless the value is one that asks for what is done anyway.", ""]
    lines += ["| option | value that is accepted | why, or what instead |", "|---|---|---|"]
    lines += [_row(_code(option.names), _code(option.does), option.instead) for option in REFUSED]
    return lines + [_row(_code([family + "..."]), "", instead) for family, instead in REFUSED_FAMILIES]


def _indented(text):
    """As a block that is shown as it stands."""
    return [f"    {line}".rstrip() for line in text.splitlines()]


def _code(words):
    return " ".join(f"`{word}`" for word in words)


def _row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
