from __future__ import annotations

import re

from edgetpu_build.cli import commands, reference


def test_every_command_has_its_section_once():
    found = re.findall(r"^### (\S+)$", reference.page(), re.MULTILINE)
    assert sorted(found) == sorted(command.name for command in commands.COMMANDS)


def test_common_options_are_described_once():
    page = reference.page()
    assert page.count("`--project DIR`") == 1


def test_tables_are_whole():
    for line in reference.page().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 3
