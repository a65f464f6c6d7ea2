//! One node's part in a scenario: the same code in every world.
