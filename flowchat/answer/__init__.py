"""retrieve, rerank, generate, cite, verify, stream: from a question to a checked answer."""
