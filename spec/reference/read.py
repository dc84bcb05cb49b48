"""Reads a .kompakt file: python3 spec/reference/read.py FILE [--tensor NAME] [--json] [--check EXPECTED]."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from kompakt_reader.__main__ import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
