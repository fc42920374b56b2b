"""The tier that several machines share.

tier      SharedTier: every read is verified; stores that fail are left alone for a while
stores    Redis for small blocks, an S3 bucket for large ones
"""
