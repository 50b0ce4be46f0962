"""The commands of `flowchat`, by what they are about."""
