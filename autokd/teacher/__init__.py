"""The teacher: trained or loaded, calibrated, and checked before anything else is paid for."""
