"""`python -m bot` is `nocturne`."""

import sys

from bot.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
