"""Makes `python -m genie_obs` do the same as `genie-obs`, where the script is not on the PATH."""

import sys

from genie_obs.command.cli import main

sys.exit(main())
