"""From exchanges to the bus: each unit of work is one stream, kept complete for as long as it is configured."""
