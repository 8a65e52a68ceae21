"""The page of a report in a real browser: headless Chromium, driven by Selenium.

Skipped where Chromium or its driver is not installed; none is downloaded.
"""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer
from vaeimpute.report import report

webdriver = pytest.importorskip("selenium.webdriver")

HOSTILE = "<script>document.title = 'broken'</script>"
CELL = "</td></script><img src=x onerror=\"document.title='broken'\">"
LONG = "a_name_that_is_much_too_long_" * 12
TURNED = "\u202eright to left"

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="Chromium or chromedriver is not installed"
)

#: The contrast of WCAG 2.1 between each text and what is behind it; the lowest first.
CONTRAST = """
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const pen = canvas.getContext("2d", {willReadFrequently: true});
function rgba(colour) {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return Array.from(pen.getImageData(0, 0, 1, 1).data);
}
function luminance(colour) {
  const [r, g, b] = rgba(colour).slice(0, 3).map((x) => {
    x /= 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
  for (let x = element; x; x = x.parentElement) {
    const colour = getComputedStyle(x).backgroundColor;
    if (rgba(colour)[3] === 255) return colour;
  }
  return "white";
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const said = walker.currentNode.textContent.trim();
  if (!said || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
  const both = [luminance(colour), luminance(behind(element))];
  found.push([(Math.max(...both) + 0.05) / (Math.min(...both) + 0.05), said]);
}
return found.sort((a, b) => a[0] - b[0]);
"""


def make_table(n_rows=120):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    table = pd.DataFrame({"x": x, "complete": x**2})
    table[HOSTILE] = -x + 0.1 * rng.normal(size=n_rows)
    table["level"] = np.where(x > 0, CELL, "plain")
    table[LONG] = rng.normal(size=n_rows)
    table[TURNED] = rng.poisson(3, n_rows).astype(float)
    for j, n_missing in zip((0, 2, 3, 4, 5), (30, 5, 10, 2, 1), strict=True):
        table.iloc[10 : 10 + n_missing, j] = None
    table.iloc[100, 2] = 40.0
    return table


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    imputer = VAEImputer(n_components=1, hidden_layer_sizes=())
    made = report(make_table(), imputer, n_repeats=1, random_state=0, title=HOSTILE)
    path = tmp_path_factory.mktemp("report") / "report.html"
    made.save(path)
    frame = path.with_name("notebook.html")
    frame.write_text(f"<!DOCTYPE html><title>kept</title>{made._repr_html_()}", "utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    # Root in a container has no sandbox, nor much shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, path):
    """Return a browser with the page open, of the size of a desk."""
    show(chromium, 1200, "light")
    chromium.get(path.as_uri())
    return chromium


def show(driver, width, scheme, script=True):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    preference = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    driver.execute_cdp_cmd(
        "Emulation.setScriptExecutionDisabled", {"value": not script}
    )


def css(driver, selector):
    return driver.find_elements("css selector", selector)


def shown_columns(driver):
    """Return the first words of the rows of the table of columns that are seen."""
    rows = css(driver, "#columns-table tbody tr")
    return [css(x, "th")[0].text for x in rows if x.is_displayed()]


def missing_counts(driver):
    rows = css(driver, "#columns-table tbody tr")
    return [int(x.get_attribute("data-missing")) for x in rows]


def header(driver, name):
    buttons = css(driver, "#columns-table thead button")
    [button] = [x for x in buttons if x.text.startswith(name)]
    return SimpleNamespace(
        button=button,
        order=lambda: button.find_element("xpath", "..").get_attribute("aria-sort"),
    )


def test_no_errors_and_no_requests(chromium, path):
    for log in ("browser", "performance"):
        chromium.get_log(log)  # what came before
    chromium.get(path.as_uri())
    chromium.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    assert chromium.get_log("browser") == []
    messages = [
        json.loads(x["message"])["message"] for x in chromium.get_log("performance")
    ]
    requested = {
        x["params"]["request"]["url"]
        for x in messages
        if x["method"] == "Network.requestWillBeSent"
    }
    assert requested == {path.as_uri()}


def test_the_page_may_not_use_the_network(browser):
    browser.execute_async_script(
        """
        const done = arguments[0];
        const image = new Image();
        image.onerror = image.onload = () => done();
        image.src = "http://localhost:9/picture.png";
        """
    )
    said = " ".join(x["message"] for x in browser.get_log("browser"))
    assert "Content Security Policy" in said


def test_hostile_names_and_cells_stay_text(browser):
    assert browser.title == HOSTILE
    assert browser.find_element("tag name", "h1").text == HOSTILE
    assert css(browser, "img") == []
    assert len(css(browser, "script")) == 1
    words = [x.get_attribute("textContent") for x in css(browser, "bdi")]
    assert any(CELL[:20] in x for x in words)
    names = shown_columns(browser)
    assert "\\u202eright to left" in names
    assert any(HOSTILE[:30] in x for x in names)


def test_sorting_by_mouse(browser):
    given = missing_counts(browser)
    assert given == [30, 0, 5, 10, 2, 1]
    missing = header(browser, "Missing")
    assert missing.order() is None
    missing.button.click()
    assert missing.order() == "ascending"
    assert missing_counts(browser) == sorted(given)
    missing.button.click()
    assert missing.order() == "descending"
    assert missing_counts(browser) == sorted(given, reverse=True)
    assert browser.find_element("id", "columns-status").text == (
        "Sorted by Missing, descending."
    )
    header(browser, "Kind").button.click()
    assert missing.order() is None


def test_numbers_are_sorted_as_such_and_gaps_last(browser):
    header(browser, "Error").button.click()
    cells = css(browser, "#columns-table tbody td:nth-child(5)")
    keys = [x.get_attribute("data-value") for x in cells]
    known = [float(x) for x in keys if x]
    assert known == sorted(known)
    assert keys[len(known) :] == [""] * (len(keys) - len(known))


def test_sorting_by_keyboard(browser):
    missing = header(browser, "Missing")
    for _ in range(60):  # tab stops
        active = browser.switch_to.active_element
        if active == missing.button:
            break
        press(browser, "\ue004")
    assert browser.switch_to.active_element == missing.button
    outline = browser.execute_script(
        "return getComputedStyle(document.activeElement).outlineStyle"
    )
    assert outline != "none"
    press(browser, " ")
    assert missing.order() == "ascending"
    press(browser, "\ue007")
    assert missing.order() == "descending"


def press(driver, key):
    webdriver.ActionChains(driver).send_keys(key).perform()


def test_filtering(browser):
    search = browser.find_element("id", "columns-search")
    search.send_keys("LEVEL")
    assert shown_columns(browser) == ["level"]
    assert browser.find_element("id", "columns-status").text == (
        "1 of 6 columns shown."
    )
    search.clear()
    search.send_keys(LONG[-40:])  # a part that is not shown
    assert len(shown_columns(browser)) == 1
    search.send_keys(" and nothing else")
    assert shown_columns(browser) == []
    search.send_keys("\ue007")  # Enter sends nothing
    assert browser.current_url.endswith("report.html")


def test_filtering_by_gaps_with_the_keyboard(browser):
    box = browser.find_element("id", "columns-gaps")
    browser.find_element("id", "columns-search").click()
    press(browser, "\ue004")
    assert browser.switch_to.active_element == box
    press(browser, " ")
    names = shown_columns(browser)
    assert len(names) == 5
    assert "complete" not in names


def test_skip_link_is_the_first_stop(browser):
    press(browser, "\ue004")
    active = browser.switch_to.active_element
    assert active.get_attribute("class") == "skip"
    assert active.rect["x"] >= 0
    press(browser, "\ue007")
    assert browser.switch_to.active_element.get_attribute("id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_contrast(browser, scheme, width):
    show(browser, width, scheme)
    found = browser.execute_script(CONTRAST)
    assert len(found) > 100
    assert found[0][0] >= 4.5, found[:5]


def test_dark_mode(browser):
    def brightness():
        colour = browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert brightness() > 3 * 200
    show(browser, 1200, "dark")
    assert brightness() < 3 * 60


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
def test_the_page_does_not_scroll_sideways(browser, width):
    show(browser, width, "light")
    size = browser.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert size[0] <= size[1] == width


def test_readable_without_scripts(chromium, path):
    show(chromium, 1200, "light", script=False)
    chromium.get(path.as_uri())
    assert len(shown_columns(chromium)) == 6
    assert not chromium.find_element("id", "columns-tools").is_displayed()
    assert css(chromium, "#columns-table thead button") == []


def test_screen_readers_are_told(browser):
    """Chromium's own tree of what is accessible has names for all that needs one."""
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    by_role = {}
    for node in nodes:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "")
            by_role.setdefault(node["role"]["value"], []).append(name)
    for role in (
        "button",
        "searchbox",
        "checkbox",
        "link",
        "image",
        "table",
        "heading",
    ):
        assert by_role[role], role
        assert all(x.strip() for x in by_role[role]), role
    assert {"main", "navigation", "banner", "contentinfo"} <= set(by_role)


def test_printed_page_has_no_controls(browser):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element("id", "columns-tools").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_frame_of_a_notebook(chromium, path):
    show(chromium, 1200, "light")
    chromium.get(path.with_name("notebook.html").as_uri())
    assert chromium.title == "kept"
    margin = chromium.execute_script("return getComputedStyle(document.body).margin")
    assert margin == "8px"  # the page's styles are not the notebook's
    chromium.switch_to.frame(css(chromium, "iframe")[0])
    header(chromium, "Missing").button.click()
    assert missing_counts(chromium) == [0, 1, 2, 5, 10, 30]
    chromium.switch_to.default_content()
    assert [x for x in chromium.get_log("browser") if x["level"] == "SEVERE"] == []
