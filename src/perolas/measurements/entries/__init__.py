"""One file for each technique that comes with perolas, holding its `ENTRY`; `registry` lists them."""
