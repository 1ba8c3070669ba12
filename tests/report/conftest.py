"""One finished run for the tests that only read, and a browser for those that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from believable_run import make_decision, make_policy, make_run
from made_audit import make_audit
from stored_runs import stored_runs

from autokd.decide import Evidence
from autokd.report import assemble, write_reports
from autokd.runs.folder import Run

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with verdict `distill`, all reports written; do not change it."""
    run = make_run(Path(tmp_path_factory.mktemp("report")) / "resnet152-20260504-a1b2c3")
    report = assemble(
        run,
        make_decision(),
        make_policy(),
        student_path="student",
        student_test_accuracy=0.964,
        audit=make_audit(),
    )
    write_reports(run, report)
    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Run, Evidence]]:
    """Stored runs with their pages; do not change them."""
    return stored_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with its logs; skipped where there is none, a failure where AUTOKD_REQUIRE_BROWSER=1 asks for one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        reason = "needs Chromium and chromedriver on the PATH"
        if os.environ.get("AUTOKD_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1200,1600"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()
