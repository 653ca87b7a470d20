"""The page in a real browser, three widths, light and dark; axe-core where it is there (`npm install -g axe-core`)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetpu_build.report.html import latency
from tests.report.html.test_latency import bench as predicted
from tests.support import browser as support
from tests.support import models, pages
from tests.support.browser import Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(support.CHROMIUM is None, reason="chromium is not installed"),
]
WIDTHS = (400, 900, 1600)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with support.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "build.html"
    path.write_text(pages.build(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "bench.html"
    path.write_text(latency.render([predicted(models.mobilenet_like(), segments=2)], 3), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_latency_renders_without_a_complaint(browser: Browser, bench: Path, axe: str, width: int) -> None:
    browser.open(bench, width=width)
    assert browser.complaints == []
    assert browser.requests == [bench.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert violations(browser, axe) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_renders_without_a_complaint(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('svg[role=img]').length") > 12


@pytest.mark.parametrize("width", WIDTHS)
def test_no_label_leaves_its_picture(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    script = """[...document.querySelectorAll('svg[role=img] text')].filter(text => {
        const own = text.getBoundingClientRect(), around = text.ownerSVGElement.getBoundingClientRect();
        return own.width && (own.right > around.right + 1 || own.left < around.left - 1);
    }).map(text => text.textContent)"""
    assert browser.run(script) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_label_runs_into_the_next(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    script = """[...document.querySelectorAll('.rows svg[role=img]')].flatMap(map => {
        const texts = [...map.querySelectorAll('text')];
        const boxes = texts.map(text => text.getBoundingClientRect()).filter(box => box.width);
        return boxes.filter(one => boxes.some(other => other !== one && Math.abs(one.top - other.top) < 5
            && one.left < other.left && one.right > other.left + 1));
    }).length"""
    assert browser.run(script) == 0


def test_what_is_under_the_pointer_lights_up_everywhere(browser: Browser, page: Path) -> None:
    browser.open(page)
    script = """(() => {
        const shape = document.querySelector('.treemap [data-k]');
        shape.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 50, clientY: 50}));
        const tip = document.getElementById('tip');
        return [tip.hidden, tip.textContent, document.querySelectorAll('.lit').length];
    })()"""
    hidden, told, lit = browser.run(script)
    assert not hidden
    assert "on the Edge TPU" in told
    assert "cached" in told
    assert lit >= 3
    browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert browser.run("document.getElementById('tip').hidden && !document.querySelector('.lit')")
    assert browser.complaints == []


def test_the_keyboard_reaches_everything(browser: Browser, page: Path) -> None:
    browser.open(page)
    places = browser.run("document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length")
    seen = set()
    for _ in range(places + 2):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.add(browser.run("document.activeElement.tagName"))
    assert {"A", "SUMMARY", "DIV"} <= seen
    browser.run("document.querySelector('summary').focus()")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_folded_tables_are_printed(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details[open]').length") == 0


def test_nothing_is_cut_off_on_paper(browser: Browser, page: Path) -> None:
    browser.open(page, width=718)
    try:
        browser.call("Emulation.setEmulatedMedia", media="print", features=[])
        browser.run("dispatchEvent(new Event('beforeprint'))")
        script = """[...document.querySelectorAll('.card table, .card svg')].filter(shown =>
            shown.getBoundingClientRect().right > 718).map(shown => shown.outerHTML.slice(0, 99))"""
        assert browser.run(script) == []
    finally:
        browser.call("Emulation.setEmulatedMedia", media="screen")


def test_without_scripts_the_pictures_are_there(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        assert browser.run("document.querySelectorAll('.treemap [data-k]').length") > 10
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_hostile_names_run_nothing(browser: Browser, tmp_path: Path) -> None:
    net = models.Net()
    facts = net.finish([net.custom([net.conv(net.input((1, 8, 8, 3)), 8)], (1, 8), "<svg onload=alert(1)>")])
    for tensor in facts["tensors"]:
        tensor["name"] = pages.HOSTILE
    path = tmp_path / "hostile.html"
    path.write_text(pages.page(pages.file(models.build(facts), f"{pages.HOSTILE}.tflite")), encoding="utf-8")
    browser.open(path)
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('img, script:not([id]), iframe').length") == 1


def test_what_got_through_would_not_run_either(browser: Browser, page: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8").replace("<main", "<script>window.ran = true</script><main")
    path.write_text(text, encoding="utf-8")
    browser.open(path)
    assert browser.run("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


@pytest.fixture(scope="module")
def axe() -> str:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    for folder in (Path(root), ROOT / "node_modules"):
        if (path := folder / "axe-core" / "axe.min.js").exists():
            return path.read_text(encoding="utf-8")
    pytest.skip("axe-core is not installed (`npm install -g axe-core`)")


@pytest.mark.parametrize(("width", "dark"), [*zip(WIDTHS, (True, False, True), strict=True)])
def test_axe_finds_nothing(browser: Browser, page: Path, axe: str, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert violations(browser, axe) == []


def violations(browser: Browser, axe: str) -> object:
    """What axe-core has to say of a page whose folds are open."""
    browser.run("document.querySelectorAll('details').forEach(fold => (fold.open = true))")
    browser.run(f"{axe};0")
    return browser.run("""axe.run().then(found => found.violations.map(
        rule => [rule.id, rule.nodes.length, rule.nodes[0].html.slice(0, 120), rule.nodes[0].failureSummary]))""")
