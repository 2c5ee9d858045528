"""Sphinx configuration; the build is strict (`make docs`)."""

import sys
from pathlib import Path

import perolas

sys.path.insert(0, str(Path(__file__).parent))
import technique_pages

technique_pages.write_all()

project = "perolas"
author = "The perolas developers"
copyright = "The perolas developers, Apache-2.0"
version = release = perolas.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
html_theme = "furo"
html_title = f"perolas {release}"
exclude_patterns = ["_build", "decisions/template.md"]
templates_path = ["_templates"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # `name` in a docstring is code
# "ref.python": two classes may have an attribute of one name; such a name in a docstring then links to neither.
suppress_warnings = ["autosummary.import_cycle", "ref.python"]
