"""What is typed and printed: one file a command, and the entry point of a wheel task."""
