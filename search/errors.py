"""The errors that strategies raise.

They see numbers only, and are held to import neither devices nor tables: what they have to say to a user comes through
here.
"""

from devices import NoAnswer, NotAvailable, WrongUse, unknown_name

__all__ = ["NoAnswer", "NotAvailable", "WrongUse", "unknown_name"]
