"""From exchanges to the bus: each unit of work is one stream, kept right for ever."""
