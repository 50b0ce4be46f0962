"""`flowchat eval faults`: an appliance in a process of its own, worked hard and treated badly."""
