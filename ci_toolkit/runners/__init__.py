"""Places to build in; each says why it cannot be used, or opens a sandbox."""
