"""SQL statements as files, one each; loaded by :mod:`genie_obs.sql`."""
