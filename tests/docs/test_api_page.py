"""docs/api.md says what is so: every public name with its signature, every column and array with dtype, shape and unit.

python -m tests.docs.test_api_page      # writes the signatures of the program into the page
"""

import inspect
import re
from functools import cached_property
from importlib import import_module

import numpy as np
import pytest

import gpuvc
from gpuvc.notebook.stages import SCHEMAS
from gpuvc.optional import optional
from tests.conftest import DEMO, REPOSITORY

PAGE = REPOSITORY / "docs" / "api.md"
PLACE = "chr20:7,380-7,560"
_SIGNATURE = re.compile(r"^### gpuvc\.(\w+)\n\n```python\n(.*?)```\n", re.MULTILINE | re.DOTALL)
_NAMES = {"Sample": "sample", "Region": "region", "Table": "table", "Calls": "calls"}


def public(name):
    """The object behind gpuvc.NAME: `gpuvc.pileup` itself is a package that can be called."""
    return getattr(import_module(f"gpuvc.{gpuvc._HOME[name]}"), gpuvc._OTHER_NAME.get(name, name))


def shown(prefix, function):
    """The call as the page has it: names, kinds and defaults."""
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    default = gpuvc.Settings()
    parameters = [
        p.replace(annotation=p.empty, default=_Named("Settings()") if p.default is not p.empty and p.default == default else p.default)
        for p in parameters
    ]  # fmt: skip
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    lines, line = [], f"{prefix}("
    for part in text[1:-1].split(", "):
        if len(line) + len(part) > 80:
            lines.append(line.rstrip())
            line = "    "
        line += f"{part}, "
    return "\n".join([*lines, f"{line.rstrip().removesuffix(',')})"])


class _Named:
    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return self._text


def methods(kind):
    """Public methods of a class, in order, those of its ancestors in the standard library left out."""
    return [
        (name, member)
        for base in reversed(kind.__mro__)
        if base.__module__.startswith("gpuvc")
        for name, member in vars(base).items()
        if not name.startswith("_") and inspect.isfunction(member)
    ]


def attributes(kind, instance):
    """Public attributes: properties, and what an instance has."""
    named = [n for n, member in vars(kind).items() if not n.startswith("_") and isinstance(member, property | cached_property)]
    return {*named, *(n for n in vars(instance) if not n.startswith("_"))}


def signatures(page):
    """Name → lines of its code."""
    return {name: code for name, code in _SIGNATURE.findall(page)}


def expected(name, code):
    """The lines that the page should have: attributes as it has them, then methods."""
    value = public(name)
    if inspect.isclass(value):
        own = [line for line in code.splitlines() if re.fullmatch(r"\w+\.\w+", line)]
        return "\n".join([*own, *(shown(f"{_NAMES[name]}.{method}", member) for method, member in methods(value))]) + "\n"
    return shown(f"gpuvc.{name}", value) + "\n"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text()


@pytest.fixture(scope="module")
def sample(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def region(sample):
    return sample[PLACE]


class TestNames:
    def test_each_is_on_the_page(self, page):
        assert set(re.findall(r"(?<=\n\n)### gpuvc\.(\w+)(?=\n\n)", page)) == set(gpuvc._HOME)
        assert set(dir(gpuvc)) == {*gpuvc._HOME, "__version__"} == {*gpuvc.__all__, *gpuvc._OTHER_NAME}

    def test_type_checkers_see_each(self):
        source = (REPOSITORY / "gpuvc" / "__init__.py").read_text()
        imports = re.findall(r"^    from gpuvc\.([\w.]+) import (\w+) as (\w+)", source, re.MULTILINE)
        assert {name: (home, own) for home, own, name in imports} == {
            name: (home, gpuvc._OTHER_NAME.get(name, name)) for name, home in gpuvc._HOME.items()
        }  # fmt: skip
        assert (REPOSITORY / "gpuvc" / "py.typed").exists()

    @pytest.mark.parametrize("name", gpuvc._HOME)
    def test_each_has_docstring_and_types(self, name):
        value = public(name)
        assert value.__doc__ and len(value.__doc__) > 20
        functions = [(name, value)] if inspect.isfunction(value) else methods(value)
        for own, function in functions:
            assert function.__doc__ or name == "Settings", own
            for parameter in list(inspect.signature(function).parameters.values())[inspect.isclass(value) :]:
                assert parameter.annotation is not parameter.empty, f"{own}({parameter.name})"
            assert inspect.signature(function).return_annotation is not inspect.Signature.empty or name == "Settings", own
        if inspect.isclass(value):
            for own, member in vars(value).items():
                if isinstance(member, property | cached_property) and not own.startswith("_"):
                    getter = member.fget if isinstance(member, property) else member.func
                    assert getter.__doc__ and "return" in getter.__annotations__, own

    def test_signatures(self, page):
        found = signatures(page)
        functions = {name for name in gpuvc._HOME if inspect.isfunction(public(name))}
        assert set(found) == functions | set(_NAMES)
        for name, code in found.items():
            assert code == expected(name, code), f"{name}: python -m tests.docs.test_api_page writes what is so"

    def test_attributes(self, page, sample, region):
        instances = {"Sample": sample, "Region": region, "Table": region.reads, "Calls": region.calls}
        for name, instance in instances.items():
            listed = re.findall(r"^\w+\.(\w+)$", signatures(page)[name], re.MULTILINE)
            assert set(listed) == attributes(public(name), instance), name
            assert all(hasattr(instance, attribute) for attribute in listed)


def rows_below(page, heading):
    """[(name, type, unit, meaning)] of the first table below a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", page, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines() if line.startswith("| `")]


class TestTables:
    def test_each_is_on_the_page(self, page):
        assert re.findall(r"^#### region\.(\w+)$", page, re.MULTILINE) == list(SCHEMAS)

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_columns(self, page, region, name):
        table = getattr(region, name)
        listed = [(cell[0].strip("`"), *cell[1:]) for cell in rows_below(page, f"region.{name}")]
        assert listed == [tuple(column) for column in table.schema]
        for column, kind, unit, _ in listed:
            assert unit in ("", "bp", "phred", "log10", "reads", "copies", "probability")
            values = table[column]
            if kind == "string":
                assert {type(value) for value in values} == {str}, column
            elif kind.startswith("list["):
                inner = {str(np.asarray(value).dtype) for value in values if len(value)}
                assert inner == {kind[5:-1]} or (kind == "list[string]" and all(isinstance(own, str) for v in values for own in v)), column
            else:
                assert values.dtype == np.dtype(kind) and values.shape == (len(table),), column

    def test_records(self, page, region):
        schema = region.calls.to_arrow().schema
        listed = [(cell[0].strip("`"), cell[1]) for cell in rows_below(page, "gpuvc.read_vcf")]
        names = {"float": "float32", "list<element: string>": "list[string]", "list<item: string>": "list[string]"}
        fixed = [(field.name, names.get(str(field.type), str(field.type))) for field in schema if "_" not in field.name]
        assert listed == fixed and len(fixed) == 7


class TestArrays:
    @pytest.mark.parametrize("name", ["ReadBatch", "Pileup", "ActiveRegion", "Locus"])
    def test_fields(self, page, region, name):
        active = region.active_region(0)
        value = {"ReadBatch": region.read_batch, "Pileup": region.pileup_counts, "ActiveRegion": active, "Locus": active.loci[0]}[name]
        assert type(value).__name__ == name
        listed = {cell[0].strip("`"): cell[1] for cell in rows_below(page, name)}
        own = {field for field in value.__slots__} - {"name", "extended_mapq"}
        assert own <= set(listed) <= own | {"n_reads", "n_positions"}
        sizes = {}
        for _ in range(2):  # sizes are known after the first round
            for field, kind in listed.items():
                check(getattr(value, field), kind, sizes, field)
        assert sizes and all(size > 0 for size in sizes.values())


def check(value, kind, sizes, field):
    """That a value has the type, dtype and shape that the page gives it; `sizes` learns letters."""
    match = re.fullmatch(r"(\w+)\[(.+)\]", kind)
    if not match:
        assert type(value).__name__ == kind, field
        return
    dtype, shape = match[1], match[2].split(", ")
    assert value.dtype == np.dtype(dtype) and value.ndim == len(shape), field
    for size, text in zip(value.shape, shape, strict=True):
        letter, _, more = text.partition(" + ")
        wanted = int(letter) if letter.isdigit() else sizes.setdefault(letter, size - int(more or 0))
        assert size == wanted + int(more or 0), f"{field}: {text}"


def test_a_checker_that_sees():
    """The parts of this file that compare do so."""
    with pytest.raises(AssertionError):
        check(np.zeros((3, 2)), "float32[N, H]", {}, "x")
    with pytest.raises(AssertionError):
        check(np.zeros((3, 2)), "float64[N, H]", {"N": 4}, "x")
    with pytest.raises(AssertionError):
        check(3, "str", {}, "x")
    assert shown("f", lambda a, *, b=gpuvc.Settings(), **c: None) == "f(a, *, b=Settings(), **c)"  # noqa: B008


def test_optional_libraries_are_named():
    with pytest.raises(gpuvc.UsageError, match=r"nothing_like_it: found none, expected it for pictures\. .*'gpuvc\[plots\]'"):
        optional("nothing_like_it.part", "pictures", "plots")


def write():
    """Put the program's signatures into the page."""
    text = PAGE.read_text()
    PAGE.write_text(_SIGNATURE.sub(lambda match: f"### gpuvc.{match[1]}\n\n```python\n{expected(match[1], match[2])}```\n", text))


if __name__ == "__main__":
    assert DEMO.exists()
    write()
