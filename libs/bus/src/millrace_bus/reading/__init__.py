"""Following streams without silent gaps, and reading journals."""
