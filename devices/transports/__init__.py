"""Ways to a device: how a command is started there, and how one talks to it."""
