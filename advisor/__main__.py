"""`python -m advisor` is the command line."""

from advisor.cli.main import main

if __name__ == "__main__":
    main()
