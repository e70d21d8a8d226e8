"""What every entry point opens and closes once: flags, logging, credentials, engine, progress."""
