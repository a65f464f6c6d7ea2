//! Delta debugging (Zeller and Hildebrandt, 2002): the fewest items with which a test still fails. Knows no runs.

/// Takes items out in ever smaller chunks, as long as `still_fails` says that the rest will do. No single item of what is
/// left can go, unless `still_fails` has begun to refuse everything.
pub fn ddmin<T: Clone>(items: &[T], mut still_fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = items.to_vec();
    let mut chunk = left.len();
    while chunk > 0 {
        let mut at = 0;
        let before = left.len();
        while at < left.len() {
            let end = (at + chunk).min(left.len());
            let rest = [&left[..at], &left[end..]].concat();
            if still_fails(&rest) {
                left = rest;
            } else {
                at = end;
            }
        }
        // Single items are tried again until a whole round takes none out: one may have needed another.
        chunk = if chunk > 1 { chunk / 2 } else { usize::from(left.len() < before) };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_needed_is_left_and_nothing_else(needed in proptest::collection::btree_set(0_u32..100, 0..6)) {
            let all: Vec<u32> = (0..100).collect();
            let mut tests = 0;
            let left = ddmin(&all, |rest| {
                tests += 1;
                needed.iter().all(|item| rest.contains(item))
            });
            prop_assert_eq!(left, needed.iter().copied().collect::<Vec<_>>());
            prop_assert!(tests <= 250, "{} tests", tests);
        }
    }

    #[test]
    fn an_item_that_only_another_needed_goes_with_it() {
        // 3 can only go when 7 is gone.
        let left = ddmin(&[3, 5, 7], |rest| rest.contains(&5) && (rest.contains(&3) || !rest.contains(&7)));
        assert_eq!(left, [5]);
    }
}
