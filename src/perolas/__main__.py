"""`python -m perolas` is the command `perolas`."""

from perolas.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
