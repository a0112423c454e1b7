"""`python -m callcontrol`."""

from callcontrol.cli import main

if __name__ == "__main__":
    main()
