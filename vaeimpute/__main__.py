"""``python -m vaeimpute``: the command line."""

from vaeimpute.cli import main

if __name__ == "__main__":
    main()
