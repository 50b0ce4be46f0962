"""Everything that talks to other machines."""
