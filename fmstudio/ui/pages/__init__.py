"""One file per page; each ends `PAGE = Page(…)` and is found by the shell."""
