"""The search: spaces, the ledger of trials, engines that place trainings, and the confirmation of finalists."""
