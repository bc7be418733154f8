import base64
import html.parser
import re

import cv2
import numpy as np

from sodkeras import report


class _Balance(html.parser.HTMLParser):
    """Notes tags that are closed out of order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_a_page_is_whole_and_what_users_name_things_is_text(tmp_path):
    nasty = '<b>"O&M"</b>'
    shown = "&lt;b&gt;&quot;O&amp;M&quot;&lt;/b&gt;"
    parts = [
        report.heading(nasty),
        report.paragraph(nasty),
        report.bullets([nasty, "two"]),
        report.table([[nasty, "1.50"]], ["name", nasty]),
        report.details(nasty, report.paragraph("inside")),
        report.figures([(nasty, b"content", "image/png")]),
    ]
    report.write_page(tmp_path / "page.html", nasty, parts)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    parser = _Balance()
    parser.feed(text)
    assert not parser.wrong and not parser.open
    assert "<b>" not in text
    assert text.count(shown) == 10
    assert "1.50" in text  # numbers stay as they were rounded


def test_figures_carry_their_pictures(tmp_path):
    content = cv2.imencode(".png", np.arange(48, dtype=np.uint8).reshape(6, 8))[1].tobytes()
    report.write_page(tmp_path / "page.html", "title", [report.figures([("a", content, "image/png")] * 2, "24rem")])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [base64.b64decode(found) for found in re.findall(r'src="data:image/png;base64,([^"]+)"', text)] == [
        content
    ] * 2
    assert "24rem" in text
    assert "http" not in text


def test_a_contact_sheet_has_a_row_a_photo(tmp_path):
    pictures = [np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), np.uint8), np.zeros((40, 60, 4), np.uint8)]
    report.contact_sheet(tmp_path / "sheet.png", [("one", pictures), ("two", pictures)], ["photo", "map", "cut"], 1.0)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 300
    assert sheet.shape[0] > 2 * 60
    third = sheet[:, 210:290]
    assert (np.abs(third.astype(int) - 255 * 0.85).max(axis=-1) < 3).sum() > 50  # a transparent picture's checkerboard
    report.contact_sheet(tmp_path / "sheet.jpg", [("one", pictures)], ["photo", "map", "cut"], 1.0)
    assert (tmp_path / "sheet.jpg").read_bytes().startswith(b"\xff\xd8")  # a JPEG, as its name says
