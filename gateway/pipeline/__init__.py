"""The life of a request, from names to an answer; decides, awaits ports, names no library."""

from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.reply import DirectoryPage, DocumentPage, Pages, Reply

__all__ = ["DirectoryPage", "DocumentPage", "Pages", "Pipeline", "Reply"]
