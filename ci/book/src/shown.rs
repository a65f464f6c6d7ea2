//! Whether what was printed is what a page shows.

use std::collections::BTreeMap;

/// What names such as `HUB_ID` stand for.
pub(crate) type Ids = BTreeMap<String, String>;

const ID_DIGITS: usize = 64;

/// A command with the ids that its names stand for.
pub(crate) fn fill(command: &str, ids: &Ids) -> String {
    let mut filled = String::new();
    let mut rest = command;
    while let Some((before, name, after)) = next_name(rest) {
        filled += before;
        filled += ids.get(name).map_or(name, String::as_str);
        rest = after;
    }
    filled + rest
}

/// The first name of an id: capitals and underscores that end in `ID`, and nothing of a longer word.
fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut start = 0;
    while start < text.len() {
        let length = text.as_bytes()[start..].iter().take_while(|byte| is_part(**byte)).count();
        let word = &text[start..start + length];
        let is_name = word == "ID" || word.ends_with("_ID");
        if is_name && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return Some((&text[..start], word, &text[start + length..]));
        }
        start += length.max(1);
        while !text.is_char_boundary(start) {
            start += 1;
        }
    }
    None
}

/// Whether `printed` is `shown`, where `...` stands for any lines. Ids that are met for the first time are kept.
pub(crate) fn says(printed: &[&str], shown: &[String], do_numbers_vary: bool, ids: &mut Ids) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim_start() == "..." => {
            (0..=printed.len()).any(|skipped| attempt(ids, |ids| says(&printed[skipped..], rest, do_numbers_vary, ids)))
        }
        Some((first, rest)) => printed.split_first().is_some_and(|(line, more)| {
            attempt(ids, |ids| is_line(line, first, do_numbers_vary, ids) && says(more, rest, do_numbers_vary, ids))
        }),
    }
}

/// Keeps what was learned only if it led to the end.
fn attempt(ids: &mut Ids, does_fit: impl FnOnce(&mut Ids) -> bool) -> bool {
    let mut learned = ids.clone();
    let fits = does_fit(&mut learned);
    if fits {
        *ids = learned;
    }
    fits
}

fn is_line(printed: &str, shown: &str, do_numbers_vary: bool, ids: &mut Ids) -> bool {
    if let Some((before, after)) = shown.split_once('…') {
        let rest = is_text(printed, before, do_numbers_vary);
        return rest.is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| is_line(&rest[at..], after, do_numbers_vary, ids))
        });
    }
    let Some((before, name, after)) = next_name(shown) else {
        return is_text(printed, shown, do_numbers_vary).is_some_and(str::is_empty);
    };
    let Some((id, rest)) =
        is_text(printed, before, do_numbers_vary).and_then(|printed| printed.split_at_checked(ID_DIGITS))
    else {
        return false;
    };
    let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id
        && ids.entry(name.to_owned()).or_insert_with(|| id.to_owned()) == id
        && is_line(rest, after, do_numbers_vary, ids)
}

/// What follows in `printed` after `shown`, if it begins so.
fn is_text<'a>(printed: &'a str, shown: &str, do_numbers_vary: bool) -> Option<&'a str> {
    if !do_numbers_vary {
        return printed.strip_prefix(shown);
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (mut printed, mut shown) = (printed, shown);
    while let Some(next) = shown.chars().next() {
        let (theirs, ours) = (digits(printed), digits(shown));
        if ours > 0 {
            printed = Some(&printed[theirs..]).filter(|_| theirs > 0)?;
            shown = &shown[ours..];
        } else {
            printed = printed.strip_prefix(next)?;
            shown = &shown[next.len_utf8()..];
        }
    }
    Some(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shown(printed: &[&str], shown: &[&str], do_numbers_vary: bool) -> bool {
        let shown: Vec<_> = shown.iter().map(|line| (*line).to_owned()).collect();
        says(printed, &shown, do_numbers_vary, &mut Ids::new())
    }

    #[test]
    fn other_lines_and_missing_ones_are_seen() {
        assert!(is_shown(&["a", "b", "c"], &["a", "...", "c"], false) && is_shown(&["a"], &["a", "..."], false));
        for wrong in [&["a", "b"][..], &["a", "...", "d"], &["b", "..."], &[]] {
            assert!(!is_shown(&["a", "b", "c"], wrong, false), "{wrong:?}");
        }
    }

    #[test]
    fn numbers_vary_only_where_that_is_said_and_nothing_else_does() {
        assert!(is_shown(&["12: 0.7 ms, é"], &["1: 0.412 ms, é"], true));
        assert!(!is_shown(&["2 ms"], &["1 ms"], false) && !is_shown(&["2 s"], &["1 ms"], true));
        assert!(!is_shown(&["x"], &["1"], true));
    }

    #[test]
    fn an_id_is_the_same_wherever_its_name_stands() {
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        let mut ids = Ids::new();
        let shown = ["is HUB_ID".to_owned()];
        assert!(says(&[&format!("is {one}")], &shown, false, &mut ids));
        assert!(!says(&[&format!("is {other}")], &shown, false, &mut ids));
        assert_eq!(fill("ping HUB_ID --as ID VALID", &ids), format!("ping {one} --as ID VALID"));
        assert!(!is_shown(&["is ab"], &["is ID"], false));
    }
}
