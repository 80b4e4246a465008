"""``make site``: the documentation as one static folder, out/site/index.html.

Sphinx with MyST reads the Markdown pages as they are (conf.py). Before that they are copied to
out/site-pages, in the checkout's own layout so that their links stay right, and on the way

- the programs of the course, the museum, viz.md and README.md run, and what they draw, step
  through and save is put below them (programs.py)
- each file of the checkout that a page links to becomes a page (pages.py)
- the reference is listed from the package as it is imported (reference.py)

At the end every link and address in the folder is followed, and nothing may come from elsewhere
(check.py); ``--browser`` also opens each page in Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import check  # noqa: E402
import pages  # noqa: E402
import programs  # noqa: E402
import reference  # noqa: E402


def build(out: Path) -> None:
    """Stage the pages beside ``out`` and run Sphinx. Raises CalledProcessError for a warning."""
    staged = out.with_name(out.name + "-pages")
    for folder in (staged, out):
        shutil.rmtree(folder, ignore_errors=True)
    staged.mkdir(parents=True)
    pages.stage(ROOT, staged)
    reference.write(staged / "reference")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-E"]
    command += ["-j", str(os.cpu_count() or 1), "-c", str(HERE), "-d", str(staged / ".doctrees")]
    command += ["-D", f"html_extra_path={staged / programs.LIVE}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, str(staged), str(out)], check=True, env=environment)
    (out / ".buildinfo").unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make site", description="The documentation as a site.")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "site")
    parser.add_argument("--check", action="store_true", help="check the folder that is there")
    parser.add_argument("--browser", action="store_true", help="open every page in Chromium")
    options = parser.parse_args()
    began = time.perf_counter()
    if not options.check:
        build(options.out)
    wrong = check.links(options.out)
    if options.browser:
        wrong += check.browser(options.out)
    for line in wrong:
        print(f"site: {line}", file=sys.stderr)
    count = len(list(options.out.rglob("*.html")))
    seconds = time.perf_counter() - began
    print(f"{options.out / 'index.html'}: {count} pages, {len(wrong)} faults, {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
