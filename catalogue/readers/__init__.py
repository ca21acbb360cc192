"""
Look into files before they are registered.

``choice.read`` opens what it is given and may crash with HDF5; everybody but the child
process calls ``child.read_in_child``.
"""
