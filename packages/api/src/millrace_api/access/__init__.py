"""Access control: tokens, browser sessions, roles, rate limits and the audit trail."""
