"""The web app: one shell, one theme, one file per page. Never imports torch or the registry."""
