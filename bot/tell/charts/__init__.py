"""The progress chart: one frame, drawn as SVG for pages and as PNG for messages."""
