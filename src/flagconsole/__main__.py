"""``python -m flagconsole`` is the command line."""

from flagconsole.cli.main import main

if __name__ == "__main__":
    main()
