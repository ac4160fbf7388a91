"""The report's building blocks: numbers as text, figures and tables as HTML, and the files beside the page.

Here fractions become percent. Text is escaped unless it is `markupsafe.Markup`, as links are.
"""

import base64
import io
import pathlib
import re
import urllib.parse

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from markupsafe import Markup

from autoaug.files import write_atomically

_NUMBER = re.compile(r"[−+]?[\d,.]+( \[.*\]| s| %| to [\d.]+)?")


class Page:
    """Makes figures and tables for the report, and writes each beside it as a file as well.

    Args:
        folder: of the report: figures go to `figures/*.svg`, tables to `tables/*.csv` and `tables/*.tex`.
    """

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)

    def figure(self, name, ax, caption, alt):
        """The Axes' figure as an HTML figure with a caption, and for those who cannot see it, a description."""
        file = io.BytesIO()
        with plt.rc_context({"svg.hashsalt": "autoaug"}):  # the same data, the same bytes
            ax.figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.02, metadata={"Date": None})
        plt.close(ax.figure)
        write_atomically(self._folder / "figures" / f"{name}.svg", file.getvalue())
        source = "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
        image = Markup('<img src="{}" alt="{}">').format(source, alt)
        return HTML(Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(image, caption))

    def table(self, name, rows, caption, data=None):
        """A DataFrame of texts and numbers as an HTML table, without its index; the page makes it sort and filter.

        Args:
            name: of the files.
            rows: DataFrame, as it is to be read; of dtype object where cells are links.
            caption: text.
            data: DataFrame to write as CSV, with numbers instead of texts; `rows` if None.
        """
        plain = rows.map(_plain)
        tables = self._folder / "tables"
        numbers = plain if data is None else data.drop(columns="folder", errors="ignore")  # a path of this machine
        write_atomically(tables / f"{name}.csv", numbers.to_csv(index=False).encode())
        write_atomically(tables / f"{name}.tex", plain.to_latex(index=False, escape=True).replace("−", "$-$").encode())
        return table(rows, caption)


def table(rows, caption):
    """A DataFrame of texts and numbers as an HTML table; its index is not shown."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in rows.columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>\n").format(Markup("").join(map(_cell, row))) for row in rows.itertuples(index=False)
    )
    text = Markup(
        '<div class="table"><table><caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>'
    )
    return HTML(text.format(caption, head, body))


def _cell(value):
    """A number, with its interval or unit, is never broken over lines, and is sorted by its value."""
    if not _NUMBER.fullmatch(str(value)):
        return Markup("<td>{}</td>").format(value)
    order = str(value).split(" ")[0].replace("−", "-").replace(",", "")
    return Markup('<td class="number" data-order="{}">{}</td>').format(order, value)


def _plain(value):
    return Markup(value).striptags() if isinstance(value, Markup) else value


def percent(value, low=None, high=None):
    """`97.1` or, with its interval, `97.1 [96.8, 97.4]`: fractions in percent, to a tenth, with a proper minus."""
    texts = [f"{100 * number:.1f}".replace("-", "−") for number in (value, low, high) if number is not None]
    return texts[0] if low is None else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def estimate(found):
    """`percent` of a `bootstrap.Estimate`; empty for one that is not a number."""
    return "" if np.isnan(found.value) else percent(*found)


def run_link(run_id, text):
    """A link from a number to the run's row in the table of provenance, whence another leads to its folder."""
    return Markup('<a href="#{}">{}</a>').format(urllib.parse.quote(run_id), text)


def folder_link(run_id):
    """The target of `run_link`: a link from results/report/index.html to the run's folder."""
    return Markup('<a id="{}" href="../runs/{}/">{}</a>').format(run_id, urllib.parse.quote(run_id), run_id)
