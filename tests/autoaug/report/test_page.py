"""Numbers as text, figures and tables as HTML, and the files beside the page."""

import base64
import gzip
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from autoaug.plots import shift as shift_plots
from autoaug.report import page, provenance
from autoaug.runs.record import Code
from autoaug.shift.intervals import Estimate


def test_table_escapes_text_keeps_links_and_marks_numbers():
    frame = pd.DataFrame(
        {"<b>": ["<script>", Markup("<a>x</a>")], "n": [page.percent(0.015, 0.01, 0.02), -3]}, dtype=object
    )
    html = page.table(frame, "A & B").data
    assert "<caption>A &amp; B</caption>" in html and '<th scope="col">&lt;b&gt;</th>' in html
    assert "<td>&lt;script&gt;</td>" in html and "<td><a>x</a></td>" in html
    assert html.count('class="number"') == 2


def test_numbers_are_sorted_by_the_value_that_they_keep():
    cells = [page.percent(0.971, 0.968, 0.974), page.percent(-0.2, -0.241, -0.158), 1250, page.Number("61 s", 61.2)]
    cells += [page.percent(np.nan), "97.1 of text"]
    html = page.table(pd.DataFrame({"n": cells}, dtype=object), "").data
    assert re.findall('data-order="([^"]*)"', html) == ["0.971", "-0.2", "1250", "61.2", ""]
    assert '97.1 <span class="interval">[96.8, 97.4]</span>' in html and ">1,250</td>" in html


def test_a_strong_number_is_bold():
    html = page.table(pd.DataFrame({"n": [page.Number("1.0 [0.0, 2.0]", 0.01, strong=True)]}, dtype=object), "").data
    assert '<strong>1.0</strong> <span class="interval">[0.0, 2.0]</span>' in html


def test_a_table_is_written_as_numbers_and_for_latex_and_its_links_hold_the_files(tmp_path):
    rows = pd.DataFrame({"Run": [page.run_link("a/b", "50 % & more")], "Gap": ["−1.5 [−2, 1]"]}, dtype=object)
    data = pd.DataFrame({"gap": [-0.0153], "folder": ["/home/somebody"]})
    shown = page.Page(tmp_path).table("gap", rows, "Caption", data).data
    csv, latex = ((tmp_path / "tables" / f"gap.{kind}").read_bytes() for kind in ("csv", "tex"))
    assert csv == b"gap\n-0.0153\n"
    assert r"50 \% \& more & $-$1.5 [$-$2, 1] \\" in latex.decode() and "href" not in latex.decode()
    sources = [base64.b64decode(source) for source in re.findall('href="data:[^,]*,([^"]*)"', shown)]
    assert sources == [csv, latex]
    page.Page(tmp_path).table("gap", rows, "Caption")
    assert (tmp_path / "tables" / "gap.csv").read_text() == 'Run,Gap\n50 % & more,"−1.5 [−2, 1]"\n'


HOSTILE = ["=1+1", "@cmd", "<script>alert(1)</script>", "$x^2$", r"a & b_c \today", 'quote"d', "-1+2"]


def test_hostile_names_are_escaped_in_html_latex_and_csv(tmp_path):
    rows = pd.DataFrame({"=Name": HOSTILE, "n": [-1.5] * len(HOSTILE)}, dtype=object)
    html = page.Page(tmp_path).table("../../up", rows, HOSTILE[2]).data
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["-..-up.csv"] and not list(tmp_path.parent.glob("up*"))
    table = pd.read_csv(next(tmp_path.rglob("*.csv")))
    assert table.columns[0] == "'=Name"
    assert [value[0] for value in table["'=Name"]] == ["'", "'", "<", "$", "a", "q", "'"]
    assert table["n"].tolist() == [-1.5] * len(HOSTILE)  # numbers are no formulas
    latex = next(tmp_path.rglob("*.tex")).read_text()
    assert r"\$x\textasciicircum 2\$" in latex and r"a \& b\_c \textbackslash today" in latex


def test_hostile_names_in_figures_are_drawn_as_they_are(tmp_path):
    point = pd.DataFrame({"accuracy": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]}, index=["<b>$x$</b>", "a&b"])
    ax = shift_plots.old_against_new(point, point, None, {"$y_": ["a&b"]}, names=("<old>", "$new"))
    html = page.Page(tmp_path).figure("hostile", ax, "<i>", "<u>").data
    assert "<title>&lt;b&gt;$x$&lt;/b&gt;</title>" in html and "<title>a&amp;b</title>" in html
    assert not re.search("<(b|i|u|old)>", html)
    assert 'aria-label="&lt;u&gt;"' in html and "named:" not in html
    assert not any(text.get_parse_math() for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_legend().get_texts()))


def test_figure_holds_the_picture_its_caption_and_its_description_and_is_written_and_closed(tmp_path):
    ax = plt.subplots()[1]
    html = page.Page(tmp_path).figure("one", ax, "Caption <1>", 'A "described" picture').data
    source, alt = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]*)">', html).groups()
    assert base64.b64decode(source).startswith(b"<?xml") and alt == "A &#34;described&#34; picture"
    assert (tmp_path / "figures" / "one.svg").read_bytes() == base64.b64decode(source)
    assert "<figcaption>Caption &lt;1&gt; <a" in html and 'download="one.svg"' in html
    assert not plt.get_fignums()


def test_links_lead_to_the_run_s_row_which_holds_its_record():
    assert page.run_link("a b", "3") == '<a href="#a%20b">3</a>'
    link = page.record_link("a b", b"{}")
    assert link.startswith('<a id="a b" class="file" download="a b.json.gz" href="data:application/gzip;base64,')
    assert gzip.decompress(base64.b64decode(re.search('base64,([^"]*)"', link)[1])) == b"{}"


def test_estimates_are_shown_in_percent_and_nothing_for_no_number():
    assert page.estimate(Estimate(-0.0153, -0.02, 0.01)) == "−1.5 [−2.0, 1.0]"
    assert page.estimate(Estimate(*[np.nan] * 3)) == ""
    assert page.percent(-0.0001) == "0.0"
    assert page.decimal(Estimate(0.951, -0.9, 1)) == "0.95 [−0.90, 1.00]"


@pytest.mark.parametrize(
    ("commit", "dirty", "text"),
    [
        ("0123456789abcdef", True, "commit 0123456789 with changes"),
        ("0" * 40, False, "commit 0000000000"),
        (None, None, "of an unknown commit"),
    ],
)
def test_code_text_names_commit_and_changes(commit, dirty, text):
    assert provenance.code_text(Code(commit, dirty)) == text
