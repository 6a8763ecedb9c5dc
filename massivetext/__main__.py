"""`python -m massivetext`: the command line."""

from __future__ import annotations

from massivetext.cli import main

if __name__ == "__main__":
    main()
