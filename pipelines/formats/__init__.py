"""One reader a format: the bytes of one kind of file -> its pictures, samples, rows or text."""
