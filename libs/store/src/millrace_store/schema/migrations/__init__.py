"""The steps that migrate a database to the present schema."""
