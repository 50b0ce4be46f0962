"""Everything that runs a model. No other package imports a model library."""
