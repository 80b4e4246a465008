"""Sphinx's settings. The pages are Markdown (MyST); the reference comes from the docstrings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from docstrings import as_restructured_text
from signatures import from_stubs

from microtorch.version import __version__

project = "microtorch"
copyright = "the authors of microtorch, MIT"
version = release = str(__version__)
root_doc = "index"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = [".doctrees"]
default_role = "code"

myst_heading_anchors = 3  # as on GitHub, so that links to headings lead somewhere in both
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 120
add_module_names = False
toc_object_entries = False  # a page of the reference has hundreds
nitpicky = False
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "monokai"
suppress_warnings = ["misc.highlighting_failure"]  # output that is shown as a program

html_theme = "furo"  # its fonts, scripts and styles are in the folder: nothing is loaded
html_title = "microtorch"
html_static_path = [str(Path(__file__).resolve().parent / "static")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_search_summary = False  # it asks for pages, which a browser refuses to a file
html_copy_source = False
html_show_sphinx = False


def setup(app):
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-process-signature", from_stubs)
    return {"parallel_read_safe": True}
