"""One folder for each dataset: what a run reads from a source, and the tables that it fills."""
