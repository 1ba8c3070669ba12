"""Search spaces: TOML files that say which students and which recipes are searched."""
