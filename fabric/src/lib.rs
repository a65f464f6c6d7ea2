//! A device fabric as a sans-IO machine: discovery, Noise XK sessions bound to Ed25519 identities, multiplexed streams.
