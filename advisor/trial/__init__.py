"""The trial: measures on the user's own program what each page policy really gives.

In: a command, or a running process, and the policies to compare. Out: a `Trial` document with every run kept.
The only room that changes the host, and only when asked: each change is journalled before it is made, and put back.
May not touch: features, rules, recommendation, report, front ends, psutil, click, rich.
Doors: `trial.run_trial`, `journal.Journal`, `journal.restore_left_over`, `settings.HostSettings`, `document`.
"""
