//! Drives a machine over real TCP and UDP sockets.
