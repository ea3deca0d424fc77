"""quantize: smaller, faster versions, and what they lose."""
