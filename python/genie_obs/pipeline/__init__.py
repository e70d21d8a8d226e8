"""One run of the job: its steps in order, and nothing else."""
