"""From a parsed request to a reply: decides what to send, and waits only for ports.

pipeline    names, denylist and cache, in the order in which a request meets them
contents    chooses the format of an answer: files, documents, cars, tars, websites
files       the bytes of a file; cached: whether the cache holds them all
drive       runs the walks of `content` against a source of blocks
gate        applies the denylist to every path and block of a request
reply       the answer, its body and how its blocks were found
"""

from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.reply import DirectoryPage, DocumentPage, Pages, Reply

__all__ = ["DirectoryPage", "DocumentPage", "Pages", "Pipeline", "Reply"]
