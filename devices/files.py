"""Small files of /proc and /sys: what they say, or None. The same as the agent reads on a device."""

from agent.files import number, numbers, text

__all__ = ["number", "numbers", "text"]
