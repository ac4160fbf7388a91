"""The page: what it shows and leaves out, that it needs nothing else, and how it behaves in a browser."""

import ast
import html.parser
import shutil
import warnings

import nbformat
import pytest
import yaml
from run_files import SHAPES, write_study

from autoaug.files import ROOT
from autoaug.report import __main__ as build
from autoaug.report import answers, render

HOSTILE = """<img src=x onerror="document.title='evil'">"""


class Page(html.parser.HTMLParser):
    """Names of a page's elements, addresses that they load, ids, links and images."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.sources, self.ids, self.links, self.images = [], [], set(), [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids.add(attrs.get("id"))
        self.sources += [attrs[key] for key in ("src", "srcset") if key in attrs]
        self.links += [attrs["href"]] if "href" in attrs else []
        self.images += [attrs] if tag == "img" else []


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a study of drawn shapes, and of a run that cannot be read, in a folder of a hostile name."""
    results = tmp_path_factory.mktemp("results")
    write_study(results, dict.fromkeys(SHAPES, SHAPES))
    (results / "runs" / HOSTILE).mkdir()
    (results / "runs" / HOSTILE / "record.json").write_text("{}")
    study = [{"notebook": "distribution_shift", "parameters": {"measured_dir": ""}, "render": True}]
    (results / "study.yml").write_text(yaml.safe_dump([{"stage": "report", "runs": study}]))
    assert build.main(["--runs", str(results / "study.yml"), "--results", str(results)]) == 0
    return results / "report" / "index.html"


def test_the_page_needs_nothing_else(page):
    found = Page(page)
    assert page.stat().st_size < 10_000_000
    assert all(source.startswith("data:") for source in found.sources) and "link" not in found.tags
    assert all(link.startswith("#") for link in found.links) and "@import" not in page.read_text()
    assert {link[1:] for link in found.links} <= found.ids  # every link leads somewhere
    assert len(found.images) >= 3 and all(len(image["alt"]) > 30 for image in found.images)
    assert {"h1", "table", "nav", "pre"} <= set(found.tags)


def test_it_says_what_the_runs_say_and_names_drawn_shapes_and_names_from_files_are_text(page):
    assert HOSTILE not in page.read_text() and "&lt;img src=x onerror=" in page.read_text()
    text = html.unescape(page.read_text())
    assert "Drawn shapes, not CIFAR-10: as expected on 1 of 1" in text and "make study" in text
    assert "wrn-synthetic10_harder-quick-10-trained-seed2" in text
    assert "myrtlenet" in text and "CINIC-10 by class" not in text  # no run, no section
    assert "confusion" not in text and "def " not in text  # cells for Jupyter, and code
    tables = {path.name: path.read_text() for path in (page.parent / "tables").iterdir()}
    names = ("accuracies", "statements", "public-statements", "random-features", "data", "runs")
    names += ("statements-in-full", "every-accuracy")
    assert tables.keys() == {f"{name}.csv" for name in names}
    assert str(page.parents[1]) not in "".join(tables.values())


def test_the_cells_for_readers_show_something_each_in_at_most_three_lines(table, tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / "distribution_shift.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if "interactive" in cell.metadata.get("tags", [])]
    assert len(cells) == 4 and all("skip-execution" in cell.metadata.tags for cell in cells)
    names = {"runs": table, "answers": answers, "confidence": 0.95, "data_dir": str(tmp_path)}
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if not line.startswith("#")]
        assert len(lines) <= 3
        *before, last = ast.parse("\n".join(lines)).body
        exec(compile(ast.Module(before, []), "cell", "exec"), names)
        with warnings.catch_warnings(record=True) as said:  # that the images are not on this machine
            warnings.simplefilter("always")
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        assert shown is not None or "Expected the data set" in str(said[0].message)


def test_a_section_in_which_nothing_is_shown_is_left_out(tmp_path):
    shown = nbformat.v4.new_output("display_data", {"text/html": "<b>here</b>"})
    named = nbformat.v4.new_output("execute_result", {"text/plain": "<Axes>"})
    cell = nbformat.v4.new_code_cell
    cells = [
        nbformat.v4.new_markdown_cell("# Title & more"),
        nbformat.v4.new_markdown_cell("## Empty"),
        cell("x", outputs=[named, nbformat.v4.new_output("stream", text="secret")]),
        nbformat.v4.new_markdown_cell("## Method\n\nProse.\n\n## Also empty\n\nMore."),
        cell("x"),
        nbformat.v4.new_markdown_cell("## Full"),
        cell("print('code')", outputs=[shown]),
        cell("x", outputs=[shown], metadata={"tags": ["interactive"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "executed.ipynb")
    render.render(tmp_path / "executed.ipynb", tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    shown = text[text.index("<nav") : text.index("</main>")]
    assert "<title>Title &amp; more</title>" in text and shown.count("<b>here</b>") == 1 and "Prose." in shown
    assert "empty" not in shown.lower() and "secret" not in shown and "print" not in shown
    assert shown.count("<h2") == 2


@pytest.fixture(scope="module")
def browser(page):
    """Headless Chromium with the report opened from disk."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no chromium and chromedriver to open the report in")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as opened:
        opened.set_window_size(1280, 900)
        opened.get(page.as_uri())
        yield opened


def test_the_page_opens_without_errors_or_requests_and_fits_a_small_screen(browser):
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    assert browser.execute_script("return document.title") == "Harder, or different?"
    links = "[...document.querySelectorAll('nav a')].map(link => document.getElementById(link.hash.slice(1))?.tagName)"
    assert set(browser.execute_script(f"return {links}")) == {"H2"}
    browser.set_window_size(390, 900)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    browser.set_window_size(1280, 900)


@pytest.mark.parametrize(("name", "read"), [("accuracy", "parseFloat"), ("commit", "String")])
def test_a_table_is_sorted_by_a_click_as_numbers_or_texts_and_back(browser, name, read):
    table = "[...document.querySelectorAll('table')].at(-1)"
    find = f"findIndex(cell => cell.innerText === '{name}')"
    place = browser.execute_script(f"return [...{table}.tHead.rows[0].cells].{find}")
    column = f"return [...{table}.tBodies[0].rows].map(row => {read}(row.cells[{place}].textContent))"
    before = browser.execute_script(column)
    for expected in (sorted(before), sorted(before, reverse=True)):
        browser.execute_script(f"{table}.tHead.rows[0].cells[{place}].click()")
        assert browser.execute_script(column) == expected
