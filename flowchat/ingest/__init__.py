"""crawl, extract, chunk, embed, index: from a site to a live version."""
