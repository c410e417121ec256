"""The page's section on provenance of checked photos: text from files is escaped."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant.report.checks_page import report_html
from tools.provenance.reading import read_provenance
from tools.search.checking.results import CheckReport

pytestmark = pytest.mark.fast


def test_each_files_provenance_is_shown_with_its_limits(tmp_path: Path) -> None:
    """Also where no face could be judged; the folder's name is not shown."""
    info = PngInfo()
    info.add_text("parameters", "<script>alert(1)</script> Steps: 20, Sampler: Euler a")
    path = tmp_path / "made.png"
    Image.new("RGB", (20, 20)).save(path, pnginfo=info)
    origins = ((path, read_provenance(path)),)
    report = CheckReport((), (), (), (), 1, "pocket", provenance=origins)
    page = report_html(report)
    assert "says that it was generated" in page and "no part in any verdict" in page
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert "made.png" in page and str(tmp_path) not in page
    assert report.to_json()["provenance"]["files"][0]["path"] == str(path)
