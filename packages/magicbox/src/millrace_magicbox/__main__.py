"""`python -m millrace_magicbox --agent-id MAGICBOX`."""

from millrace_magicbox.agent import MagicboxAgent
from millrace_magicbox.plugins import plugin_folder
from millrace_service import main

if __name__ == "__main__":
    main(
        lambda: MagicboxAgent(plugin_folder()),
        options={"plugin-dir": "folder of files with strategies (default strategies, else examples/strategies)"},
    )
