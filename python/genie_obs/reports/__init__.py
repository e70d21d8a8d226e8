"""Reports that change nothing: the plan of the next run, and the status of the tables."""
