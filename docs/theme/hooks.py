"""What the site needs beyond its pages: two that are made when it is built, and proof that it asks nothing of the network.

CHANGELOG.md stands at the top of the repository, the reference of the Python names in their docstrings: neither has a second copy here.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import gpuvc

# What a browser fetches by itself when it shows a page; links that a person may follow are not among it.
_ELSEWHERE = r"((?:https?:)?//[^\"'\s)>]+)"
_LOADS = (
    re.compile(rf"<(?:script|img|iframe|embed|source|video|audio|object)\b[^>]*\s(?:src|srcset|data)\s*=\s*[\"']?{_ELSEWHERE}", re.I),
    re.compile(rf"<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|icon|preload|preconnect|manifest))[^>]*\bhref=[\"']?{_ELSEWHERE}", re.I),
    re.compile(rf"(?:\burl\(|@import)\s*[\"']?{_ELSEWHERE}", re.I),
    re.compile(rf"\bimport\b[\s(][^;\"'<>]{{0,200}}[\"']{_ELSEWHERE}"),
)


def on_files(files, config):
    root = Path(config.config_file_path).parent
    changelog = re.sub(r"\]\(docs/", "](", (root / "CHANGELOG.md").read_text())
    files.append(File.generated(config, "changelog.md", content=changelog))
    files.append(File.generated(config, "reference.md", content=_reference()))
    return files


def _reference():
    """The page of all public names, each of which mkdocstrings fills from its docstring."""
    text = "# Python reference\n\nAll that `gpuvc` offers to programs. Arrays are NumPy's; positions are 0-based, intervals half-open.\n\n"
    for name, home in gpuvc._HOME.items():  # not gpuvc's own attributes: `gpuvc.pileup` is a package that can be called
        value = getattr(import_module(f"gpuvc.{home}"), gpuvc._OTHER_NAME.get(name, name))
        text += f'::: {value.__module__}.{value.__qualname__}\n    options:\n      heading: "gpuvc.{name}"\n      toc_label: "{name}"\n'
        if any(inspect.isfunction(member) and not part.startswith("_") for part, member in vars(value).items()):
            text += "      members: null\n"
        text += "\n"
    return text


def on_page_markdown(markdown, page, config, files):
    """In tables the repository's web view wants the bar within code escaped, and the site does not."""
    rows = re.compile(r"^\|.*$", re.M)
    return rows.sub(lambda row: re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), row[0]), markdown)


def on_post_page(output, page, config):
    """Notebooks come with a script that would fetch Mermaid if there were diagrams for it; ours have none."""
    if not page.file.src_uri.endswith(".ipynb"):
        return output
    return re.sub(r"<script type=\"module\">(?:(?!</script>).)*mermaid.*?</script>", "", output, flags=re.DOTALL)


def on_post_build(config):
    """Refuse a site that would fetch something from elsewhere."""
    site = Path(config.site_dir)
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text()
            for load in _LOADS:
                if found := load.search(text):
                    raise PluginError(f"{path.relative_to(site)}: it would fetch {found[1]}, expected nothing from the network.")
