"""The engines: where a Spark session comes from and what differs between them. Only this folder opens sessions."""
