"""Names to what they point to: IPNS records, DNSLinks, and what is remembered of both."""
