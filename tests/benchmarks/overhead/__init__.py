"""What `record` at its defaults costs the programs that it looks at: their throughput and their tail latency.

`targets` are programs under load, one at a time; `__main__` measures each with and without a recording, in pairs.
"""
