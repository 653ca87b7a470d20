from __future__ import annotations

import re

import pytest

from edgetpu_build.errors import CATALOGUE
from edgetpu_build.report import codes


def test_every_code_has_a_page_and_no_page_lacks_a_code():
    assert set(codes.PAGES) == set(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_page_says_what_it_means_and_what_to_do(code):
    page = codes.page(code)
    assert page.startswith(f"{code}: {CATALOGUE[code]} (exit code ")
    meaning, remedy = codes.PAGES[code]
    assert meaning.endswith(".")
    assert remedy.endswith(".")
    assert not re.search(r"\b(please|invalid)\b", page, re.IGNORECASE)


def test_the_page_of_all_holds_each_once():
    page = codes.errors_page()
    assert re.findall(r"^### (ETB\d{3})", page, re.MULTILINE) == sorted(CATALOGUE)


def test_exit_codes_are_told():
    assert "(exit code 2)" in codes.page("ETB203")
    assert "(exit code 70)" in codes.page("ETB701")
