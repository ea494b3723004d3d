"""``python3 -m agent SETTINGS``: what the bootstrap becomes."""

from agent.server import main

if __name__ == "__main__":
    main()
