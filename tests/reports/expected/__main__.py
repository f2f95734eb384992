"""Write the expected comments again, after a look at what changed: `python -m tests.reports.expected`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "fakes"))

if __name__ == "__main__":
    from situations import SITUATIONS

    from ci_toolkit.forges.deliver import COMMENT_LIMIT_CHARACTERS, length
    from ci_toolkit.reports import joined

    for name, reports in SITUATIONS.items():
        text = joined.render(reports(), COMMENT_LIMIT_CHARACTERS, length)
        (HERE / f"{name}.md").write_text(text, encoding="utf-8")
