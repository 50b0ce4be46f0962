"""Measures FlowChat against what it promises: `flowchat eval`."""
