"""Talks to Stripe through its official library; nothing else in FlowChat knows that."""
