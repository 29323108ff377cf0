"""Instruction data: phrasings, pictures, conversations, records and how they become tokens."""
