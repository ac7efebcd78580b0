"""Lessons as HTML pages: what is in them, and what a browser makes of them."""

import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from tiny import environment

from tinyvit import show
from tinyvit.lessons.page import write_pages
from tinyvit.lessons.screen import Screen
from tinyvit.lessons.shelf import Lesson, all_lessons

TEXT = """\
# %% [markdown]
# # 3 · Small: a lesson for a test
#
# `a < b` and a formula:
#
#     y = x & 1
#
# | a | b |
# | - | - |
# | 1 | 2 |

# %%
from tinyvit import show
from tinyvit.lessons import figure, predict
print("1 <b> 2")

# %%
print("first")
figure(show.bars({"a": 1.0}), "03_a")
print("second")
figure(show.bars({"b": 2.0}), "03_b")
figure(show.bars({"c": 3.0}), "03_a")
predict("what?", (1, 2))
"""


class Page(HTMLParser):
    """What is in a page: tags with their attributes, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "03_small.py"
    path.write_text(TEXT, "utf-8")
    return Lesson(path, 3, "small", "Small: a lesson for a test", "")


def test_a_page_holds_text_code_output_and_figures_in_their_order(lesson, tmp_path):
    (path,) = write_pages([lesson], tmp_path / "pages")
    assert path == tmp_path / "pages" / "03_small.html"
    text = path.read_text("utf-8")
    page = Page(text)
    pieces = ["a < b", "y = x & 1", "1 <b> 2", "first", "second", "? what?\n  it is: (1, 2)"]
    places = [page.text.index(piece) for piece in pieces]
    assert places == sorted(places)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["figure 03_a", "figure 03_b"]
    assert ("table", {}) in page.tags
    parts = ["<pre>first</pre>", 'alt="figure 03_a"', "<pre>second</pre>", 'alt="figure 03_b"']
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_a_page_needs_nothing_from_elsewhere(lesson, tmp_path):
    (path,) = write_pages([lesson], tmp_path)
    page = Page(path.read_text("utf-8"))
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert "@import" not in path.read_text("utf-8") and "<script" not in path.read_text("utf-8")


def test_several_pages_link_to_each_other_and_are_listed(lesson, tmp_path):
    other = tmp_path / "04_other.py"
    other.write_text(TEXT.replace("3 · Small", "4 · Other"), "utf-8")
    lessons = [lesson, Lesson(other, 4, "other", "Other", "")]
    *_, index = write_pages(lessons, tmp_path / "pages")
    assert re.findall('href="(.+?html)"', index.read_text("utf-8")) == [
        "03_small.html",
        "04_other.html",
    ]
    first = (tmp_path / "pages" / "03_small.html").read_text("utf-8")
    assert first.count('href="04_other.html"') == 2 == first.count('href="index.html"')


def test_large_pages_have_large_letters(lesson, tmp_path):
    (small,) = write_pages([lesson], tmp_path / "small")
    (large,) = write_pages([lesson], tmp_path / "large", large=True)
    assert "font-size: 16px" in small.read_text("utf-8")
    assert "font-size: 24px" in large.read_text("utf-8")


SEEN = """
const seen = element => element.getBoundingClientRect().width > 0;
return {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  figures: [...document.images].filter(i => i.complete && i.naturalWidth > 300 && seen(i)).length,
  images: document.images.length,
  code: [...document.querySelectorAll(".code pre")].filter(seen).length,
  letters: parseFloat(getComputedStyle(document.body).fontSize),
};
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every lesson's page, written by the command."""
    folder = tmp_path_factory.mktemp("pages")
    words = [sys.executable, "-W", "error", "-m", "tinyvit", "lesson", "--save", str(folder)]
    subprocess.run(words, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("no chromium with chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("stem", [one.path.stem for one in all_lessons()] + ["index"])
def test_in_a_browser(pages, browser, stem, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get((pages / f"{stem}.html").as_uri())
    seen = browser.execute_script(SEEN)
    assert browser.get_log("browser") == []
    assert seen["overflow"] <= 0, "the page is wider than the screen"
    assert seen["letters"] >= 16
    if stem != "index":
        assert seen["figures"] == seen["images"] >= 1
        assert seen["code"] >= 5


@pytest.mark.slow
def test_the_page_of_the_latest_figure_follows(browser, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tinyvit.lessons.screen._has_a_display", lambda: False)
    screen = Screen(tmp_path)
    for name, width in (("first", 6), ("second", 9)):
        show.save(show.blank_figure(width, 4), tmp_path / f"{name}.png")
    screen.show(tmp_path / "first.png")
    browser.get((tmp_path / "latest.html").as_uri())
    width = "return document.images[0].naturalWidth"
    assert browser.execute_script(width) == 6 * show.DPI
    screen.show(tmp_path / "second.png")
    for _ in range(50):
        if browser.execute_script(width) == 9 * show.DPI:
            break
        time.sleep(0.1)
    assert browser.execute_script(width) == 9 * show.DPI
    assert browser.get_log("browser") == []
