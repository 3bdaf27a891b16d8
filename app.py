"""Open Foundation Model Studio in a browser, on this machine only.

    python app.py [--host 127.0.0.1] [--port 7860] [--home DIR] [--no-browser]

The same as `python -m fmstudio serve`.
"""

from __future__ import annotations

import sys

from fmstudio.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
