"""The table `ingestion_runs`: the record of a run, its signs of life, and other runs. Also what a step takes and returns."""
