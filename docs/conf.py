"""Settings of the documentation site, which `make docs` builds without network."""

import warnings

from pygments.lexers import TextLexer

import vaeimpute

project = "vaeimpute"
author = "The vaeimpute developers"
copyright = author
release = version = vaeimpute.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
# The gallery makes pages of docs/examples; what it makes is in docs/auto_examples.
exclude_patterns = ["_build", "_templates", "examples"]
templates_path = ["_templates"]

# In docstrings `name` links to what it names, if that has a place on the site.
default_role = "py:obj"
autodoc_default_options = {
    "members": True,
    "inherited-members": True,
    "member-order": "bysource",
}
# Signatures are shown without types: docstrings say more.
autodoc_typehints = "none"
numpydoc_show_class_members = False

myst_heading_anchors = 3  # links to titles, such as (large_tables.md#dask)

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"demo\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("vaeimpute",),
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "matplotlib_animations": False,
    "show_memory": False,
    "write_computation_times": False,  # they would fetch scripts from the network
    "show_signature": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}
# An example that warns is one to mend.
warnings.simplefilter("error", UserWarning)

html_theme = "furo"
html_title = f"vaeimpute {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def is_of_others(app, what, name, obj, skip, options):
    """Leave out what classes inherit from scikit-learn, which documents it itself."""
    module = getattr(obj, "__module__", None) or "vaeimpute"
    return True if module.split(".")[0] == "sklearn" else None


# Pages are read on a code host, too: a link there, and what it is on the site.
LINKS = {
    "(../benchmarks/README.md": "(benchmarks_howto.md",
    "(../docs/": "(",
    "(tables/SOURCES.md": "(benchmark_tables.md",
}


def link_pages(source):
    """Turn links between folders into links of the site."""
    for there, here in LINKS.items():
        source[0] = source[0].replace(there, here)


def setup(app):
    """Register the functions above."""
    app.add_lexer("csv", TextLexer)  # which Pygments does not know
    app.connect("autodoc-skip-member", is_of_others)
    app.connect("source-read", lambda app, page, source: link_pages(source))
    app.connect("include-read", lambda app, path, page, source: link_pages(source))
