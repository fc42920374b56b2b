"""The memory tier.

tier      MemoryTier: blocks in RAM, bounded by bytes
s3fifo    its queues: S3-FIFO
"""
