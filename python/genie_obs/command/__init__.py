"""What is typed and printed: one file for each command, and the entry point of a wheel task."""
