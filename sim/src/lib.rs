//! A deterministic discrete-event world for sans-IO machines, with faults, oracles and a trace hash.
