"""One module for each chapter, from an experiment to tables and a few arrays.

All arithmetic on results is here.  A study draws no figures, and its finding is its only prose.  It
runs in plain Python, without a notebook:

    from repinf_core import profiles
    from repinf_core.studies import cluster_centers

    study = cluster_centers.run(profiles.experiment("quick", {"n_z": 20}))
    study.labels  # a pandas table
"""
