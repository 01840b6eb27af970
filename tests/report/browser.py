"""A headless Chromium for the tests of the page: Debian's, driven by Selenium, with what the page asked and said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.debian import cannot, need


class Page:
    """One loaded page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a script returns."""
        return self.driver.execute_script(script, *arguments)

    def open(self, file: Path, view: str = "", scheme: str = "light") -> None:
        """Load a file, with a view in the address, as a reader who prefers light or dark sees it."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.driver.get("about:blank")
        self.driver.get(file.as_uri() + view)

    def resize(self, width: int, height: int = 900) -> None:
        """Set the size of what is seen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def requests(self) -> set[str]:
        """Return every address that was asked for since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = (m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent")
        return {url for url in asked if not url.startswith("data:")}

    def complaints(self) -> list[str]:
        """Return what the console said since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def violations(self) -> list[str]:
        """Return what axe-core finds against WCAG 2.2, A and AA."""
        found = find_spec("axe_playwright_python")
        if found is None or found.origin is None:
            cannot("axe-core is not installed: `make test` installs it")
        assert found and found.origin
        self.run(Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        done = self.driver.execute_async_script(
            "const done = arguments[1];"
            "axe.run(document, {runOnly: {type: 'tag', values: arguments[0]}}).then((r) => done(r.violations));",
            tags,
        )
        return [f"{one['id']}: {node['html'][:160]} {node['failureSummary']}" for one in done for node in one["nodes"]]


@contextmanager
def chromium() -> Iterator[Page]:
    """Yield a page of a fresh browser; skip where there is none and none can be installed."""
    need("chromium", "chromium")
    need("chromedriver", "chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))) as driver:
        driver.set_script_timeout(120)
        driver.set_page_load_timeout(120)
        yield Page(driver)
