"""Distributed traces in the words of OpenTelemetry: contexts, spans, and their export. docs/traces.md lists the spans."""
