"""What makes a site of the pages as GitHub shows them; MkDocs calls it.

The index, docs/README.md, is the navigation, so that no page is listed twice. README and CHANGELOG
become pages, notebooks become pages with a link to the file, and other files of the repository are
named without a link. No page may load anything from another site.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?![a-z]+:|#)([^)\s]+)\)")

# What lies outside docs/, and the page that it becomes.
OUTSIDE = {"README.md": "start.md", "CHANGELOG.md": "changes.md"}

PORTUGUESE = "pt-BR/README.md"
STYLE = "assets/site.css"

LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]+"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon))[^>]*href=[\"']?(?:https?:)?//[^>]+"
    r"|url\([\"']?(?:https?:)?//[^)]+|@import [\"'](?:https?:)?//[^\"']+"
)


def github_anchor(heading: str, _separator: str) -> str:
    """Name a heading as GitHub does, so that one link serves both."""
    return re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-")


def navigation() -> list[dict[str, Any]]:
    """Read the sections of the index and their pages, and those of the Portuguese index."""
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    sections: list[dict[str, Any]] = [{"Home": "README.md"}]
    listed = {"README.md"}
    for heading, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", index, re.MULTILINE):
        links = re.findall(r"^- \[(.+?)\]\((\S+?)\)", body, re.MULTILINE)
        pages = [{name: page_of("docs/README.md", target)} for name, target in links]
        listed |= {path for page in pages for path in page.values()}
        sections.append({heading.partition(":")[0]: pages})
    portuguese = DOCS / PORTUGUESE
    if portuguese.exists():
        links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", portuguese.read_text(encoding="utf-8"))
        found = [PORTUGUESE, *(page_of(f"docs/{PORTUGUESE}", link) for link in links)]
        own = [page for page in found if re.fullmatch(r"(pt-BR|notebooks)/[\w-]+\.md", page)]
        first, *others = [page for page in dict.fromkeys(own) if page not in listed]
        sections.append({"Português": [{"stocklstm em português": first}, *others]})
    return sections


def page_of(origin: str, target: str) -> str:
    """Name the page of the site that a link leads to."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    return OUTSIDE.get(path, re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/")))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the navigation from the index, and anchors as GitHub makes them."""
    config.nav = navigation()
    config.mdx_configs["toc"]["slugify"] = github_anchor
    config.extra_css = [STYLE]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, CHANGELOG, a page for each notebook, and the style."""
    files.append(
        File.generated(config, STYLE, abs_src_path=str(Path(__file__).with_suffix(".css")))
    )
    for outside, name in OUTSIDE.items():
        text = relink((ROOT / outside).read_text(encoding="utf-8"), outside, name)
        files.append(File.generated(config, name, content=text))
    for notebook in sorted((DOCS / "notebooks").glob("*.ipynb")):
        name = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, name, content=as_page(notebook)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links that leave docs/ into links within the site."""
    name = page.file.src_uri
    if name not in OUTSIDE.values():
        markdown = relink(markdown, f"docs/{name}", name)
    # In a table GitHub wants a line within code escaped; Python-Markdown shows what escapes it.
    return re.sub(r"`[^`\n]*\\\|[^`\n]*`", lambda code: code[0].replace(r"\|", "|"), markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Say which language a page is in, for screen readers and hyphens."""
    name = page.file.src_uri
    is_portuguese = name.startswith(("pt-BR/", "notebooks/primeira_"))
    return output.replace('<html lang="en"', '<html lang="pt-BR"', 1) if is_portuguese else output


def relink(text: str, origin: str, page: str) -> str:
    """Rewrite the links of a file of the repository for the page of the site that it becomes."""

    def moved(match: re.Match[str]) -> str:
        words, (name, mark, anchor) = match[1], match[2].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), name))
        if path in OUTSIDE:
            target = OUTSIDE[path]
        elif path.startswith("docs/"):
            target = path.removeprefix("docs/")
            if target.endswith(".ipynb") and origin != f"docs/{target[:-6]}.md":
                target = f"{target[:-6]}.md"
        else:
            return words.strip("![]")
        start = posixpath.dirname(page) or "."
        return f"{words}({posixpath.relpath(target, start)}{mark}{anchor})"

    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(LINK.sub(moved, part) if n % 2 == 0 else part for n, part in enumerate(parts))


def as_page(notebook: Path) -> str:
    """Write a notebook that was run as Markdown: its words, its code and what that gave."""
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += [shown(output) for output in cell["outputs"]]
    title, _, rest = "\n\n".join(part for part in parts if part).partition("\n")
    return f"{title}\n\n[{notebook.name}]({notebook.name})\n{rest}\n"


def shown(output: dict[str, Any]) -> str:
    """Write what a cell gave: a picture, HTML, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        # Without empty lines, which would end it.
        page = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"])).strip()
        return f'<div class="output">\n{page}\n</div>'
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"```\n{text.rstrip()}\n```" if text.strip() else ""


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that asks other sites for anything."""
    for file in sorted(Path(config.site_dir).rglob("*")):
        if file.suffix in {".html", ".css", ".svg"}:
            found = LOADED.search(file.read_text(encoding="utf-8"))
            if found:
                raise PluginError(f"{file}: loads from elsewhere: {found[0][:200]}")
