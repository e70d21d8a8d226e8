"""`ingestion_runs`: the record of a run, its signs of life, and other runs."""
