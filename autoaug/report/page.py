"""The report's building blocks: numbers as text, figures and tables as HTML, and the files beside the page.

Fractions become percent here, and only here: a `Number` is a text that keeps its value. Text is escaped unless it is
`markupsafe.Markup`; links are.
"""

import base64
import gzip
import io
import pathlib
import re
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import cast

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug.files import write_atomically
from autoaug.plots import NAMED
from autoaug.shift.intervals import Estimate

_SVG = "http://www.w3.org/2000/svg"
_MOST_LATEX_ROWS = 200  # longer tables are of no use in print
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets execute cells that begin so


class Number(str):
    """A number as readers see it; tables sort by its `value`; a `strong` one is set in bold."""

    value: float
    strong: bool

    def __new__(cls, text: str, value: float, strong: bool = False) -> "Number":
        number = super().__new__(cls, text)
        number.value, number.strong = float(value), strong
        return number


class Page:
    """Makes figures and tables for the report, and also writes each to a file beside the page.

    Captions link to these files. A link contains the file itself, so it works with the page alone.

    Args:
        folder: of the report. Figures go to `figures/*.svg`; tables go to `tables/*.csv` and, up to 200 rows, to
            `tables/*.tex`.
    """

    def __init__(self, folder: pathlib.Path | str) -> None:
        self._folder = pathlib.Path(folder)

    def _write(self, kind: str, name: str, content: bytes) -> None:
        """Write a file of the page; no name can lead out of the folder."""
        write_atomically(self._folder / kind / re.sub(r"[^\w.-]+", "-", name).lstrip("."), content)

    def figure(self, name: str, drawn: Axes | Figure, caption: str, alt: str) -> HTML:
        """The figure, or the Axes' figure, as HTML, with a caption and a description for those who cannot see it.

        A figure with named points (`plots.NAMED`) is part of the page's HTML, so that pointing at a point shows its
        name.
        """
        figure = drawn if isinstance(drawn, Figure) else cast("Figure", drawn.get_figure(root=True))
        file = io.BytesIO()
        with plt.rc_context({"svg.hashsalt": f"autoaug {name}"}):  # the same data, the same bytes
            figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.02, metadata={"Date": None})
        plt.close(figure)
        svg, named = _with_titles(file.getvalue())
        self._write("figures", f"{name}.svg", svg)
        source = data_url("image/svg+xml", svg)
        if named:
            start = svg.index(b"<svg")
            attributes = Markup('<svg role="img" aria-label="{}"').format(alt)
            image = attributes + Markup(svg[start + len("<svg") :].decode())  # written by matplotlib, which escapes
            address = Markup('href="{}"').format(source)
        else:
            image = Markup('<img src="{}" alt="{}">').format(source, alt)
            address = Markup("hidden")  # the page's script takes the image's address, which would take its room twice
        links = Markup(' <a class="file" download="{}.svg" {}>SVG</a>').format(name, address)
        return HTML(Markup("<figure>{}<figcaption>{}{}</figcaption></figure>").format(image, caption, links))

    def table(
        self, name: str, rows: pd.DataFrame, caption: str, data: pd.DataFrame | None = None, look: str = ""
    ) -> HTML:
        """A DataFrame of texts and numbers as an HTML table, without its index; readers can sort and filter it.

        Args:
            name: of the files.
            rows: the table as readers see it; dtype object if cells are links or numbers.
            caption: text.
            data: the table for the CSV file, with numbers instead of texts; `rows` if None.
            look: a class of report.css: "matrix" sets intervals below their numbers.
        """
        plain = rows.map(_plain)
        numbers = plain if data is None else data.drop(columns="folder", errors="ignore")  # a path of this machine
        csv = numbers.map(_harmless).rename(columns=_harmless).to_csv(index=False).encode()
        self._write("tables", f"{name}.csv", csv)
        link = Markup(' <a class="file" download="{}" href="{}">{}</a>')
        links = link.format(f"{name}.csv", data_url("text/csv", csv), "CSV")
        if len(rows) <= _MOST_LATEX_ROWS:
            latex = _folded_space(plain).to_latex(index=False, escape=True).replace("−", "$-$").encode()
            self._write("tables", f"{name}.tex", latex)
            links += link.format(f"{name}.tex", data_url("application/x-tex", latex), "LaTeX")
        return table(rows, Markup("{}{}").format(caption, links), look)


def _with_titles(svg: bytes) -> tuple[bytes, bool]:
    """The SVG with a `<title>` in every group whose id begins with `plots.NAMED`, and whether there is one."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    if NAMED.encode() not in svg:
        return svg, False
    root = ET.fromstring(svg)
    for element in root.iter(f"{{{_SVG}}}g"):
        if element.get("id", "").startswith(NAMED):
            title = ET.Element(f"{{{_SVG}}}title")
            title.text = element.attrib.pop("id").removeprefix(NAMED)
            element.insert(0, title)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True), True


def data_url(kind: str, content: bytes) -> str:
    """An address that contains the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def table(rows: pd.DataFrame, caption: str, look: str = "") -> HTML:
    """A DataFrame of texts and numbers as an HTML table; its index is not shown."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in rows.columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>\n").format(Markup("").join(map(_cell, row))) for row in rows.itertuples(index=False)
    )
    text = Markup(
        '<div class="table {}"><table><caption>{}</caption>\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>"
    )
    return HTML(text.format(look, caption, head, body))


def paragraphs(texts: Iterable[str], css_class: str = "") -> HTML:
    """Texts as escaped paragraphs; empty texts are left out."""
    start = Markup('<p class="{}">').format(css_class) if css_class else Markup("<p>")
    return HTML(Markup("\n").join(start + Markup("{}</p>").format(text) for text in texts if text))


def folded(summary: str, *parts: HTML) -> HTML:
    """Pieces of the page behind a line that unfolds them."""
    return HTML(Markup("<details><summary>{}</summary>\n{}</details>").format(summary, Markup(together(*parts).data)))


def together(*parts: HTML) -> HTML:
    """Several pieces of the page as one."""
    return HTML("\n".join(part.data for part in parts))


def _cell(value: object) -> Markup:
    """A cell of a table. A number is not broken over lines, and is sorted by its value."""
    if isinstance(value, Number):
        number, bracket, interval = str(value).partition(" [")
        text = Markup("<strong>{}</strong>").format(number) if value.strong else Markup("{}").format(number)
        if bracket:
            text += Markup(' <span class="interval">[{}</span>').format(interval)
        order = "" if np.isnan(value.value) else f"{value.value:.9g}"
        return Markup('<td class="number" data-order="{}">{}</td>').format(order, text)
    if isinstance(value, int | float | np.number):
        order = Markup(' data-order="{}"').format(value) if abs(float(value)) >= 1_000 else ""
        return Markup('<td class="number"{}>{}</td>').format(order, f"{value:,}")
    return Markup("<td>{}</td>").format(value)


def _plain(value: object) -> object:
    return Markup(value).striptags() if isinstance(value, Markup) else value


def _harmless(value: object) -> object:
    """The value; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _folded_space(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.map(lambda value: " ".join(value.split()) if isinstance(value, str) else value)


def percent(value: float, low: float | None = None, high: float | None = None) -> Number:
    """`97.1` or, with its interval, `97.1 [96.8, 97.4]`: fractions in percent, to a tenth, with a proper minus.

    Empty for a value that is not a number.
    """
    if np.isnan(value):
        return Number("", np.nan)
    texts = [f"{100 * number:.1f}".replace("-", "−") for number in (value, low, high) if number is not None]
    texts = ["0.0" if text == "−0.0" else text for text in texts]
    return Number(texts[0] if low is None else f"{texts[0]} [{texts[1]}, {texts[2]}]", value)


def estimate(number: Estimate) -> Number:
    """`percent` of an estimate with its interval."""
    return percent(*number)


def decimal(number: Estimate) -> str:
    """`0.95 [0.90, 1.00]`: an estimate that is not a fraction, with its interval."""
    return "{:.2f} [{:.2f}, {:.2f}]".format(*number).replace("-", "−")


def run_link(run_id: str, text: str) -> Markup:
    """A link from a number to the run's row in the table of provenance, which holds the run's record."""
    return Markup('<a href="#{}">{}</a>').format(urllib.parse.quote(run_id), text)


def record_link(run_id: str, record: bytes) -> Markup:
    """The target of `run_link`: a link that holds the run's record, compressed, so that many runs fit in a page."""
    link = '<a id="{}" class="file" download="{}.json.gz" href="{}">{}</a>'
    return Markup(link).format(run_id, run_id, data_url("application/gzip", gzip.compress(record, mtime=0)), run_id)
