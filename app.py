"""Start the chat: `python app.py` is `unmask chat`, with the same options and settings."""

import sys

from assistant.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "chat")
    main()
