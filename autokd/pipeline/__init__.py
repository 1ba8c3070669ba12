"""A search from its settings to its report, stage by stage."""
