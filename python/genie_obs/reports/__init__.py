"""What is told without changing anything: the plan of the next run, and the status of the tables."""
