"""Online: events that change recommendations: exact sums over the events since a snapshot, published as deltas."""
