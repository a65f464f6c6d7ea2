//! A bounded sockets facade over smoltcp, and the driver that runs a machine on it.
