"""How a made-up patient becomes files: one hidden state, and one file per thing it is seen in."""
