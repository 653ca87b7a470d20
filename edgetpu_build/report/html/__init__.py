"""The report as one page with pictures. Imported only when a page is asked for."""

from __future__ import annotations

from edgetpu_build.report.html.page import render
from edgetpu_build.report.html.sources import of_files, of_outcome

__all__ = ["of_files", "of_outcome", "render"]
