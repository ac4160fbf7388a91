"""The rendered report: what it says, that it needs nothing else, and how it behaves in a browser."""

import base64
import html.parser
import json
import os
import re
import shutil
import urllib.parse

import nbformat
import numpy as np
import papermill
import pytest
import run_files
from report_runs import CHANCES, SHAPES, write_study

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.report import build as report
from data_prep import synthetic


class Page(html.parser.HTMLParser):
    """What the tests look at: ids, links, images, sources, names of elements."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images, self.tags, self.sources = set(), [], [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids.add(attrs.get("id"))
        self.sources += [attrs[key] for key in ("src", "srcset") if key in attrs]
        if tag == "a" and "href" in attrs:  # the page's script gives the links of pictures theirs
            self.links.append(attrs["href"])
        if tag == "img":
            self.images.append(attrs)


def render(results):
    notebook, page = ROOT / "notebooks" / "distribution_shift.ipynb", results / "report" / "index.html"
    folders = {"results_dir": str(results), "data_dir": str(results / "data"), "measured_dir": ""}
    (results / "report").mkdir(exist_ok=True)
    executed, options = results / "report" / "executed.ipynb", {"progress_bar": False, "kernel_name": "python3"}
    papermill.execute_notebook(notebook, executed, folders, cwd=ROOT, **options)
    report.render(executed, page)
    return page


HOSTILE_SOURCE = """=HYPERLINK("x"; 'y') $\\frac{1$ [z](javascript:alert(1)) _50_% {{7*7}} `a` \\input{b}"""
HOSTILE_FOLDER = """<img src=x onerror="document.title='evil'">"""


def make_hostile(results):
    """Change what the runs say of their data to a hostile text, and add unfinished runs in folders of hostile names."""
    for path in results.glob("runs/*/record.json"):
        record = json.loads(path.read_text())
        for part in (record["train_data"], *record["tests"].values()):
            part["source"] = HOSTILE_SOURCE
        path.write_text(json.dumps(record | {"machine": {"processor": HOSTILE_SOURCE}}))
    for name in (HOSTILE_FOLDER, os.fsdecode(b"\xff is no text")):
        (results / "runs" / name).mkdir()
        (results / "runs" / name / "history.csv").touch()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of two families, one with three seeds, and of runs not to count: unfinished, and on older data.

    One data set is on disk. Names in the files are hostile.
    """
    results = tmp_path_factory.mktemp("results")
    synthetic.build(results / "data", ["synthetic10_harder"])
    write_study(results, CHANCES)
    write_study(results, CHANCES, seeds=1, model="ss32")
    tests = {name: run_files.predictions(np.random.default_rng(0), np.arange(2_000) % 10, 0.9) for name in SHAPES}
    run_files.write(results, "synthetic10_different", {}, status="unfinished")
    older = {"train_sha256": "00" * 32, "started": "2025-12-31T00:00:00Z"}
    run_files.write(results, "synthetic10", tests, recipe=recipes.get("pyramid"), **older)
    make_hostile(results)
    return render(results)


def test_names_from_files_are_text_and_nothing_else(page):
    found, text = Page(page), page.read_text()
    assert "&lt;img src=x onerror=" in text and "? is no text" in text
    assert all(image["src"].startswith("data:") for image in found.images)
    assert HOSTILE_SOURCE in html.unescape(text)
    drawn = "".join(path.read_text() for path in (page.parent / "figures").glob("*.svg"))
    assert r"$\frac{1$" in drawn
    tables = {path.name: path.read_text() for path in (page.parent / "tables").iterdir()}
    assert "\"'=HYPERLINK(" in tables["data.csv"] and not re.search(r'(^|,)"?=', "".join(tables.values()), re.MULTILINE)
    assert r"\$\textbackslash frac\{1\$" in tables["data.tex"]
    assert not any(r"\input" in tables[name] for name in tables if name.endswith(".tex"))


def test_the_report_says_what_the_runs_say(page):
    text = page.read_text()
    first = text[: text.index('id="Accuracy"')]
    assert "30 published models, all trained on CIFAR-10, lose 4.0 to 14.6 points" in first
    assert "No run on CIFAR-10 or a reproduction of it has been measured" in first
    assert "the method is right in 1 of 1 cases." in first and "52 to 62 %" in first
    assert "hardness" not in first  # no share of the gap on the first screen
    assert "Measured in 8 quick runs" in first and "Small and quick runs say nothing" in first
    assert 'class="masthead"' in first and "To cite:" in first
    assert "slope 0.95 [0.85, 1.04]" in text  # of the published models
    assert "wrn-synthetic10_different-quick-10-trained-seed0" in text
    assert "Runs on other data: pyramid_net-synthetic10-quick-8-trained-seed0" in text
    assert "commit ffffffffff" in text and "ab" * 32 in text and "61 s" in text
    assert str(page.parents[2]) not in text


def test_the_report_needs_nothing_else_and_leads_from_numbers_to_runs(page):
    found, text = Page(page), page.read_text()
    assert page.stat().st_size < 10_000_000
    assert {"h1", "h2", "table", "nav", "main", "svg"} <= set(found.tags)
    assert not {"link", "iframe", "pre"} & set(found.tags)
    assert "@import" not in text and all(source.startswith("data:") for source in found.sources)
    assert len(found.images) >= 5 and all(len(image["alt"]) > 20 for image in found.images)
    assert all(link.startswith(("#", "data:")) for link in found.links)  # they work where only the page is
    targets = {urllib.parse.unquote(link[1:]) for link in found.links if link.startswith("#")}
    assert {"Method", "Every-run", "wrn-synthetic10-quick-10-trained-seed1"} <= targets <= found.ids
    assert "One-pair,-question-by-question" not in found.ids  # for Jupyter only
    assert text.count("<details>") >= 5


def test_the_page_holds_its_notebook_without_outputs(page):
    (link,) = [link for link in Page(page).links if link.startswith("data:application/x-ipynb+json")]
    notebook = nbformat.reads(base64.b64decode(link.partition(",")[2]).decode(), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("sections.answer" in cell.source for cell in code) and not any(cell.outputs for cell in code)


def test_tables_and_figures_lie_beside_the_page(page):
    tables, figures = ({path.name for path in (page.parent / name).iterdir()} for name in ("tables", "figures"))
    assert {"statements.csv", "statements.tex", "accuracy.csv", "runs.csv"} <= tables
    assert {"answer.svg", "published.svg", "hardest-synthetic10_harder.svg"} <= figures
    assert "/" not in (page.parent / "tables" / "accuracy.csv").read_text().replace("\\/", "")


def test_a_report_of_nothing_says_what_to_run(tmp_path):
    text = render(tmp_path).read_text()
    assert "No finished run yet" in text and "make report" in text and "<h2" in text


def test_a_report_of_an_imported_model_and_of_one_without_its_own_test_set(tmp_path):
    rng, labels = np.random.default_rng(0), np.arange(2_000) % 10
    tests = {name: run_files.predictions(rng, labels, 0.95) for name in ("cifar10", "cifar10.1-v6")}
    tests["cifar10.1-v6"]["overlap"][:7] = True
    run_id = run_files.write(tmp_path, "cifar10", tests, recipe=recipes.get("wrn", "paper"), kind="checkpoint")
    (tmp_path / "runs" / run_id / "history.csv").unlink()
    run_files.write(tmp_path, "cifar102", {"cifar10": tests["cifar10"]}, recipe=recipes.get("ss32", "paper"))
    text = render(tmp_path).read_text()
    assert "1 paper run (the published recipe), 1 imported run" in text
    assert ">97.5</td>" in text and "without the test images that are among the training images" in text
    assert "A comparison needs models trained on an original and on its reproduction" in text
    figure = (tmp_path / "report" / "figures" / "published.svg").read_text()
    assert "WRN-28-10, 200 epochs (imported)" in figure and "Not on this machine: CIFAR-10, CIFAR-10.1 v6" in text


@pytest.fixture(scope="module")
def browser(page):
    """Headless Chromium with the report opened from disk."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no chromium and chromedriver to open the report in")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as opened:
        opened.get(page.as_uri())
        wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(opened, 60)
        wait.until(lambda found: found.execute_script("return document.documentElement.dataset.tables") == "ready")
        yield opened


def test_the_page_opens_without_errors_or_requests(browser, page):
    assert browser.get_log("browser") == []
    requested = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [address for address in requested if not address.startswith(("data:", "blob:"))] == []
    assert browser.execute_script("return document.title") == "Harder, or different?"
    assert browser.execute_script("return document.querySelectorAll('img:not([src^=data]), [onerror]').length") == 0
    shown = "return document.body.textContent.includes(arguments[0])"
    assert all(browser.execute_script(shown, text) for text in (HOSTILE_SOURCE, HOSTILE_FOLDER))


def test_the_contents_mark_the_section_that_is_read(browser):
    marked = "return [...document.querySelectorAll('nav a[aria-current]')].map(link => link.textContent)"
    wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(browser, 20)
    for heading in ("Method", "Training and data"):
        target = heading.replace(" ", "-")
        browser.execute_script(f"document.getElementById('{target}').scrollIntoView({{behavior: 'instant'}})")
        wait.until(lambda found, heading=heading: found.execute_script(marked) == [heading])


def test_a_link_to_a_run_unfolds_its_row_and_pointing_at_a_published_model_names_it(browser):
    browser.execute_script("document.querySelector('a[href^=\"#wrn-synthetic10-quick\"]').click()")
    wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(browser, 20)
    row = "return document.getElementById(decodeURIComponent(location.hash.slice(1))).closest('details').open"
    wait.until(lambda found: found.execute_script(row))
    names = browser.execute_script(
        "return [...document.querySelectorAll('main svg title')].map(one => one.textContent)"
    )
    assert len(names) == 30 and "wrn_28_10" in names


def test_every_picture_is_visible(browser):
    unfold(browser, True)
    sizes = browser.execute_script(
        "return [...document.images].map(image => [image.complete, image.naturalWidth, image.offsetWidth])"
    )
    assert len(sizes) >= 5 and all(
        complete and natural > 0 and 100 < shown <= 900 for complete, natural, shown in sizes
    )


def test_every_picture_can_be_downloaded_though_the_page_holds_it_once(browser, page):
    links = "return [...document.querySelectorAll('figure a')].map(link => [link.hidden, link.download, link.href])"
    shown = browser.execute_script(links)
    assert len(shown) >= 5 and page.read_text().count("data:image/svg+xml") == len(shown)
    for hidden, name, address in shown:
        assert not hidden and name.endswith(".svg") and address.startswith("data:image/svg+xml;base64,")


def unfold(browser, is_open):
    """Open or close what is folded."""
    script = "document.querySelectorAll('details').forEach(folded => folded.open = arguments[0])"
    browser.execute_script(script, is_open)


def test_a_table_sorts_by_number_and_filters(browser):
    unfold(browser, True)
    caption = "Accuracy in % and points"
    table = f"[...document.querySelectorAll('table')].find(one => one.caption.innerText.startsWith('{caption}'))"
    column = f"return [...{table}.tBodies[0].rows].map(row => parseFloat(row.cells[3].textContent))"
    before = browser.execute_script(column)
    assert len(before) == 30 and before != sorted(before)
    head = browser.execute_script(f"return {table}.tHead.rows[0].cells[3]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", head)
    wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(browser, 20)
    for expected in (sorted(before), sorted(before, reverse=True)):
        head.click()  # sorted a moment later
        wait.until(lambda found, expected=expected: found.execute_script(column) == expected)
    search = browser.execute_script(f"return {table}.closest('.dt-container').querySelector('input')")
    search.send_keys("shake_shake")
    names = f"return [...{table}.tBodies[0].rows].map(row => row.cells[0].textContent)"
    wait.until(lambda found: len(found.execute_script(names)) == 4)
    assert all(name.startswith("shake_shake") for name in browser.execute_script(names))
    search.clear()


def test_the_page_is_no_wider_than_a_small_screen(browser):
    browser.set_window_size(390, 900)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        wide = "return document.querySelectorAll('.table.wide').length"
        pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(browser, 20).until(
            lambda found: found.execute_script(wide)  # tables that scroll say so
        )
    finally:
        browser.set_window_size(1280, 900)
    fits = "return [...document.querySelectorAll('.table')].every(box => box.scrollWidth <= box.clientWidth + 1)"
    assert browser.execute_script(fits)


def test_the_page_prints_without_what_is_folded(browser):
    unfold(browser, False)
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF") and 3 <= pdf.count(b"/Type /Page\n") <= 12
