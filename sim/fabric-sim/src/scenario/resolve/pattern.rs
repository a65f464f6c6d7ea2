//! Patterns that stand for several names: `*` is any letters, or none. Knows only lists of names in order.

/// The places of the names that `pattern` matches; `names` are sorted.
pub(super) fn matches<T>(names: &[T], name: impl Fn(&T) -> &str, pattern: &str) -> Vec<u32> {
    let fixed = pattern.split('*').next().unwrap_or_default();
    // All that begin as the pattern does stand together.
    let first = names.partition_point(|each| name(each) < fixed);
    let places = (first as u32..).zip(&names[first..]).map(|(place, each)| (place, name(each)));
    if fixed.len() == pattern.len() {
        return places.take(1).filter(|(_, found)| *found == pattern).map(|(place, _)| place).collect();
    }
    let alike = places.take_while(|(_, each)| each.starts_with(fixed));
    alike.filter(|(_, each)| glob(pattern.as_bytes(), each.as_bytes())).map(|(place, _)| place).collect()
}

/// Whether `pattern`, in which `*` stands for any letters, matches all of `name`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    // Where to go on when letters do not fit: after the last star, one letter further.
    let mut retry = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, in_name));
            }
            Some(letter) if *letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((after_star, tried)) = retry else { return false };
                at = after_star;
                in_name = tried + 1;
                retry = Some((after_star, in_name));
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_and_for_none() {
        for (pattern, name) in
            [("*", "hub"), ("phone-*", "phone-"), ("*-1", "phone-1"), ("p*o*1", "phone-1"), ("a*b*b", "abb")]
        {
            assert!(glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("phone", "phone-1"), ("phone-*", "phon"), ("*-2", "phone-1"), ("", "a"), ("a*b", "abc")]
        {
            assert!(!glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_finds_in_a_sorted_list_what_a_look_at_each_name_finds() {
        let names = ["a", "a-1", "a-10", "a-2", "b", "b-1", "hub"];
        for pattern in ["*", "a", "a-", "a-*", "a-1*", "*-1", "b*1", "c", "c*", "hub", "hub*", ""] {
            let each = (0..).zip(names).filter(|(_, name)| glob(pattern.as_bytes(), name.as_bytes()));
            let expected: Vec<u32> = each.map(|(place, _)| place).collect();
            assert_eq!(matches(&names, |name| name, pattern), expected, "{pattern}");
        }
    }
}
