"""How a command ends, as its exit code."""

EXIT_CRASHED = 1
EXIT_USAGE = 2  # wrong usage or configuration; nothing was written
EXIT_PARTIAL = 3  # finished, but a whole workspace could not be read
