"""The commands of ``ttdm``, a module each: its docstring is the help, and what takes long is imported when it runs."""
