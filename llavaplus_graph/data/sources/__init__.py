"""Where records come from besides curation: the released files, plain LLaVA data and recorded conversations."""
