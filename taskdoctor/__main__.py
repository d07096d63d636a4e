"""`python -m taskdoctor`."""

from taskdoctor.cli import main

if __name__ == "__main__":
    main()
