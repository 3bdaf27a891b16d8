"""What the studio finds, as types. It knows no words for pages: `present` has those."""
