"""Many profiles, one table: every process of every host with its advice.

In: paths or URLs of profiles, reports and captures. Out: rows in a fixed order (`rows`), and one error for each input
that is damaged (`inputs`). Work is cut into chunks of files (`chunk`), the same ones whoever does them: processes of
this machine (`local`) or a Dask cluster; parts on disk make it resumable. May not touch: live hosts, front ends.
"""
