"""One module for each chapter: an experiment in, tables and a few arrays out.

All arithmetic on results is here.  A study draws nothing and writes no prose but its finding; it
runs from plain Python, without a notebook:

    from repinf_core import profiles
    from repinf_core.studies import cluster_centers

    study = cluster_centers.run(profiles.experiment("quick", {"n_z": 20}))
    study.labels  # a pandas table
"""
