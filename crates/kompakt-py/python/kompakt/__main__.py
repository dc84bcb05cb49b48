"""The command line: ``kompakt …`` and ``python -m kompakt …``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and end it."""
    from kompakt import _native

    sys.exit(_native.main(["kompakt", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
