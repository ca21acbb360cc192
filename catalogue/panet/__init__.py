"""
PaNET, the ontology of photon and neutron experimental techniques, without a database.

A small part is shipped (``subset``); ``official`` reads the whole table as its editors
publish it, and ``hierarchy`` infers who stands below whom.
"""

from catalogue.panet.subset import SUBSET

__all__ = ["SUBSET"]
