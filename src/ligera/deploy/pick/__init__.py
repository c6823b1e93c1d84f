"""The most accurate model that keeps a budget on this device, proven: many candidates in, one answer with a report out.

``running.pick`` is the way in. ``probing`` opens the models, ``candidates`` makes the grid, ``judging`` scores answers,
``measuring`` asks the device through ``worker`` processes and keeps everything in a ``store``, ``race`` decides what is
measured any further, ``choice`` answers, ``folder`` writes the report.
"""
