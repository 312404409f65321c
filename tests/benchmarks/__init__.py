"""Speed and memory, as ratios within one run (``make bench``): machines differ, ratios travel."""
