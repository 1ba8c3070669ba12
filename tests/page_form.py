"""The form of a page's *what if*, in a browser."""

from __future__ import annotations

from typing import Any

ENTER = """const form = document.querySelector('.what-if form');
Object.entries(arguments[0]).forEach(([name, value]) => {
    form.elements[name].value = value;
    form.dispatchEvent(new Event('input'));
});"""


def shown(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).textContent", selector))
