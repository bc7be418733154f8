"""`python -m sodkeras` is the command `sodkeras`."""

import sys

from sodkeras.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
