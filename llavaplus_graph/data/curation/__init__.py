"""Instruction data for skills out of pictures of which something is known: a labeller writes, the skills really run."""
