"""One module for each chapter, from an experiment to tables and a few arrays; and their parts.

All arithmetic on results is here.  A study draws no figures, and writes no prose but its finding
and single sentences that depend on what was found.  It runs in plain Python, without a notebook:

    from repinf_core import profiles
    from repinf_core.studies import cluster_centers

    study = cluster_centers.run(profiles.experiment("quick", {"n_z": 20}))
    study.labels  # a pandas table
"""
