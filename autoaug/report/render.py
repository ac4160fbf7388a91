"""The page: an executed notebook through nbconvert, without its code, with one style sheet, as one file."""

import html
import pathlib
import re

import nbformat
from nbconvert import HTMLExporter

from autoaug.files import write_atomically

_HERE = pathlib.Path(__file__).parent
_HEADING = re.compile(r"^## ", re.MULTILINE)


def render(notebook: pathlib.Path, page: pathlib.Path) -> None:
    """Render an executed notebook. The page needs no network, and is written whole or not at all.

    Cells with the tag `interactive` are for Jupyter and are left out, and so are sections in which nothing is shown.
    """
    executed = nbformat.read(notebook, as_version=4)
    executed.cells = _shown(executed.cells)
    hidden = {f"exclude_{part}": True for part in ("input", "input_prompt", "output_prompt")}
    exporter = HTMLExporter(template_name="basic", **hidden)
    body, _ = exporter.from_notebook_node(executed)
    title = executed.cells[0].source.splitlines()[0].lstrip("# ") if executed.cells else ""
    parts = {"title": html.escape(title), "body": body}
    parts |= {name: (_HERE / f"report.{name}").read_text("utf-8") for name in ("css", "js")}
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], (_HERE / "report.html").read_text("utf-8"))
    write_atomically(page, text.encode())


def _shown(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The cells of the page. A section is the last `## ` of a markdown cell with the code cells that follow."""
    kept: list[nbformat.NotebookNode] = []
    for cell in reversed(cells):
        if "interactive" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("data", {}).keys() - {"text/plain"}]  # not mere text
            if cell.outputs:
                kept.append(cell)
            continue
        is_empty = not kept or kept[-1].cell_type != "code"
        starts = [match.start() for match in _HEADING.finditer(cell.source)]
        below = cells[cells.index(cell) + 1 :][:1]
        if is_empty and starts and below and below[0].cell_type == "code":
            cell.source = cell.source[: starts[-1]].strip()
        if cell.source:
            kept.append(cell)
    return kept[::-1]
