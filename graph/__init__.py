"""The view: nodes, edges and their intervals, derived from observations; the port, its adapters, traversal.

May import `catalog`. Never decides anything: whether a pipeline must run is never asked here.
"""
