"""Published weights: found on the hub or in a folder, checked, tried once, kept on this machine."""
