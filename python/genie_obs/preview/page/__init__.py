"""What a tile shows, and the page around all tiles: served on this machine, or written to one file."""
