"""Numbers as text, figures and tables as HTML, and the files beside the page."""

import base64
import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from autoaug.report import page, provenance
from autoaug.shift.intervals import Estimate


def test_table_escapes_text_keeps_links_and_marks_numbers():
    frame = pd.DataFrame({"<b>": ["<script>", Markup("<a>x</a>")], "n": ["1.5 [1, 2]", "−3"]}, dtype=object)
    html = page.table(frame, "A & B").data
    assert "<caption>A &amp; B</caption>" in html and '<th scope="col">&lt;b&gt;</th>' in html
    assert "<td>&lt;script&gt;</td>" in html and "<td><a>x</a></td>" in html
    assert html.count('class="number"') == 2


def test_numbers_are_sorted_by_their_value():
    cells = ["97.1 [96.8, 97.4]", "−20.0 [−24.1, −15.8]", "1,250", "61 s", "80.0 to 90.0"]
    html = page.table(pd.DataFrame({"n": cells}), "").data
    assert [float(order) for order in re.findall('data-order="([^"]*)"', html)] == [97.1, -20, 1250, 61, 80]


def test_a_table_is_written_as_numbers_and_for_latex(tmp_path):
    rows = pd.DataFrame({"Run": [page.run_link("a/b", "50 % & more")], "Gap": ["−1.5 [−2, 1]"]}, dtype=object)
    data = pd.DataFrame({"gap": [-0.0153], "folder": ["/home/somebody"]})
    shown = page.Page(tmp_path).table("gap", rows, "Caption", data)
    assert shown.data == page.table(rows, "Caption").data
    assert (tmp_path / "tables" / "gap.csv").read_text() == "gap\n-0.0153\n"
    latex = (tmp_path / "tables" / "gap.tex").read_text()
    assert r"50 \% \& more & $-$1.5 [$-$2, 1] \\" in latex and "href" not in latex
    page.Page(tmp_path).table("gap", rows, "Caption")
    assert (tmp_path / "tables" / "gap.csv").read_text() == 'Run,Gap\n50 % & more,"−1.5 [−2, 1]"\n'


def test_figure_holds_the_picture_its_caption_and_its_description_and_is_written_and_closed(tmp_path):
    ax = plt.subplots()[1]
    html = page.Page(tmp_path).figure("one", ax, "Caption <1>", 'A "described" picture').data
    source, alt = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]*)">', html).groups()
    assert base64.b64decode(source).startswith(b"<?xml") and alt == "A &#34;described&#34; picture"
    assert (tmp_path / "figures" / "one.svg").read_bytes() == base64.b64decode(source)
    assert "<figcaption>Caption &lt;1&gt;</figcaption>" in html
    assert not plt.get_fignums()


def test_links_lead_to_the_run_s_row_and_from_there_to_its_folder():
    assert page.run_link("a b", "3") == '<a href="#a%20b">3</a>'
    assert page.folder_link("a b") == '<a id="a b" href="../runs/a%20b/">a b</a>'


def test_estimates_are_shown_in_percent_and_nothing_for_no_number():
    assert page.estimate(Estimate(-0.0153, -0.02, 0.01)) == "−1.5 [−2.0, 1.0]"
    assert page.estimate(Estimate(*[np.nan] * 3)) == ""


@pytest.mark.parametrize(
    ("commit", "dirty", "text"),
    [
        ("0123456789abcdef", True, "1.0, commit 0123456789 with changes"),
        ("0" * 40, False, "1.0, commit 0000000000"),
        (None, None, "1.0"),
    ],
)
def test_code_text_names_version_commit_and_changes(commit, dirty, text):
    assert provenance.code_text({"version": "1.0", "commit": commit, "dirty": dirty}) == text
