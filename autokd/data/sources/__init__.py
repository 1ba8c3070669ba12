"""Where data sets come from: what `--data` names, one file a kind."""
