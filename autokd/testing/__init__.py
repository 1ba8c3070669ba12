"""An engine and a meter that are formulas: for tests of code that uses autokd."""
