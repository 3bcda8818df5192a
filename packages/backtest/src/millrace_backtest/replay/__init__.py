"""A replay: a strategy's recorded run repeated input by input, each decision compared with the recorded one."""
