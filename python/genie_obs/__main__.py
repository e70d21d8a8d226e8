"""`python -m genie_obs` is `genie-obs`, for where the script is not on the PATH."""

import sys

from genie_obs.command.cli import main

sys.exit(main())
