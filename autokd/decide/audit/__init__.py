"""What a buyer asks next to the accuracy; the verdict heeds it only where a limit on flips or recall was set."""
