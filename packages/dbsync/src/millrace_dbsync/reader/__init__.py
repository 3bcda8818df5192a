"""Reading journals ahead of their commit: in a process of their own under load, else in this one."""
