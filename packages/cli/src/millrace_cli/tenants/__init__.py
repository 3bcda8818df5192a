"""`millrace tenant`: adds a tenant to the running agents' configurations, and stops one."""
