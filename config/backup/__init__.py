"""
The whole installation in one folder, and back.

::

    FOLDER/
      manifest.json    what this is; written last: without it there is no backup
      database.dump    pg_dump's custom format
      files.jsonl      store, key, sha256 and size of every file that a row names
      content/aa/…     the files themselves, each once, under their sha256

Read-only stores are named in the manifest, not copied: raw data have a keeper of their
own.
"""
