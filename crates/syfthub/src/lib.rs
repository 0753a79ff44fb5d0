//! All of it in one process on one port, and the command line.
