"""The only code that speaks LSP."""
