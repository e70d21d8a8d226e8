"""Reports that change nothing: the plan of the next run, what reading messages again takes, and the status of the tables."""
