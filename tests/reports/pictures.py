"""Draw the expected comments as a browser shows them: `python -m tests.reports.pictures` writes docs/comment/.

Wants Debian's chromium, fonts-dejavu-core and fonts-noto-color-emoji.
"""

import base64
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "docs" / "comment"
LIMIT_BYTES = 150_000
WIDTH, TALLEST = 860, 900
_HEIGHT = "Math.ceil(document.querySelector('.box').getBoundingClientRect().bottom) + 16"

# As forges show Markdown: their fonts, borders and colours, in plain words of our own.
_STYLE = """
body { margin: 0; padding: 16px; background: #f6f8fa; }
.box { border: 1px solid #d0d7de; border-radius: 6px; background: #fff; padding: 4px 16px 12px; overflow: hidden; }
.box { font: 14px/1.5 "DejaVu Sans", "Noto Color Emoji", sans-serif; color: #1f2328; overflow-wrap: anywhere; }
h3 { font-size: 17px; margin: 12px 0 8px; }
h4 { font-size: 14px; margin: 14px 0 6px; }
p, ul, table, pre, details { margin: 8px 0; }
ul { padding-left: 24px; }
a { color: #0969da; text-decoration: none; }
table { border-collapse: collapse; display: block; max-width: 100%; }
th, td { border: 1px solid #d0d7de; padding: 4px 10px; }
tr:nth-child(even) td { background: #f6f8fa; }
code { font: 12px "DejaVu Sans Mono", "Noto Color Emoji", monospace; }
code { background: #eff1f3; border-radius: 4px; padding: 1px 5px; }
table { overflow-wrap: normal; }
pre { background: #f6f8fa; border-radius: 6px; padding: 10px 12px; overflow: hidden; }
pre code { background: none; padding: 0; white-space: pre; }
summary { cursor: pointer; }
"""


def page(text: str) -> str:
    """Return TEXT, a comment, as an HTML page."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("gfm-like").render(text)
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><div class="box">{body}</div>'


def main() -> None:
    """Draw each expected comment; of a long one the top."""
    sys.path.insert(0, str(HERE.parents[0] / "fakes"))
    from browser import browser

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, browser(Path(home)) as window:
        for file in sorted((HERE / "expected").glob("*.md")):
            html = Path(home) / "page.html"
            html.write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")
            window.open(html, width=WIDTH)
            height = min(window.value(_HEIGHT), TALLEST)
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
            shot = window.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
            data = base64.b64decode(shot["data"])
            assert len(data) < LIMIT_BYTES, f"{file.stem} takes {len(data):,} bytes"
            (PICTURES / f"{file.stem}.png").write_bytes(data)


if __name__ == "__main__":
    main()
