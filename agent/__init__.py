"""What runs on a device: its state, its runtimes, and the loop that measures.

The directory is copied to the device as it is and run there by whatever Python the device has, so everything in it is
standard library and Python 3.6: no dataclasses, no ``from __future__ import annotations``, no ``list[int]``, no
walrus. The other packages use the same modules on the host: what decides about a sample is written once.

``python3 -m agent`` speaks JSON lines; ``agent.protocol`` has the messages.
"""

PROTOCOL = 1
"""Number of the protocol; host and device must have the same."""
