//! Comparisons of secrets that take as long whatever is in them.

use core::hint::black_box;

/// Whether two secrets are equal.
pub(crate) fn is_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other));
    black_box(difference) == 0 // else a compiler may stop at the first byte that differs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        assert!(is_equal(&[7; 32], &[7; 32]));
        for bit in 0..256 {
            let mut other = [7; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_equal(&[7; 32], &other), "{bit}");
        }
    }
}
