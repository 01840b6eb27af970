"""Pictures of a report page at three widths, by day and by night, and printed: to be looked at, after every change.

python benchmarks/screenshots.py edgebench-out/report/report.html --out screenshots
"""

from __future__ import annotations

import argparse
import base64
import shutil
import subprocess
from pathlib import Path

from selenium import webdriver

WIDTHS = (380, 768, 1600)
HIGHEST = 16_000


def browser_of(width: int) -> webdriver.Chrome:
    """Return a headless Chromium with a window of this width."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},1000"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def picture(browser: webdriver.Chrome, page: Path, width: int, scheme: str, file: Path) -> None:
    """Write the whole page as a PNG."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    height = min(browser.execute_script("return document.documentElement.scrollHeight"), HIGHEST)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    file.write_bytes(base64.b64decode(shot["data"]))


def printed(browser: webdriver.Chrome, page: Path, file: Path) -> None:
    """Write the page as a PDF, and its sheets as PNG where Poppler is installed."""
    browser.get(page.as_uri())
    found = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    file.write_bytes(base64.b64decode(found["data"]))
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "60", "-png", str(file), str(file.with_suffix(""))], check=True)


def main() -> None:
    """Write all pictures of one page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    page = given.page.resolve()
    for width in WIDTHS:
        with browser_of(width) as browser:
            for scheme in ("light", "dark"):
                picture(browser, page, width, scheme, given.out / f"{width}-{scheme}.png")
            if width == max(WIDTHS):
                printed(browser, page, given.out / "printed.pdf")
    print(f"{2 * len(WIDTHS)} pictures and printed.pdf in {given.out}")


if __name__ == "__main__":
    main()
