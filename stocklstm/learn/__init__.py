"""Training, compression and export of the network; the only home of tensors."""

from stocklstm.core.operating_system import system

# Before PyTorch asks for any: in a training the same blocks are freed and needed again every few
# milliseconds, and those that were given back cost a page fault for each 4 KiB.
system().keep_freed_memory()
