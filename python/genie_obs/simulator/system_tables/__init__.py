"""The account's system tables: rows, Arrow tables, Delta folders."""
