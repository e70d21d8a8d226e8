"""One folder for each table of ours that is filled from a source."""
