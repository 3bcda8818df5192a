"""Exports of whole histories as Parquet and CSV files."""
