"""Whole histories as files: Parquet and CSV."""
