"""The HTTP server behind `artcolor serve`; needs the extra `serve`."""
