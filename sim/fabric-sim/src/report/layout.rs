//! Columns and wrapped text for terminals of any width.

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word keeps a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// `prefix`, of `indent` visible columns, and then `text`, wrapped and aligned behind it. Where that leaves too little
/// room, the text goes below.
pub(crate) fn hang(prefix: &str, indent: usize, text: &str, width: usize) -> String {
    /// Narrower columns are harder to read than a line below.
    const COLUMN_MIN: usize = 24;
    if indent + COLUMN_MIN > width {
        let below = wrap(text, width.saturating_sub(6));
        let title = Some(prefix.trim_end().to_owned()).filter(|title| !title.is_empty());
        return title
            .into_iter()
            .chain(below.into_iter().map(|line| format!("      {line}")))
            .collect::<Vec<_>>()
            .join("\n");
    }
    let joint = format!("\n{}", " ".repeat(indent));
    format!("{prefix}{}", wrap(text, width - indent).join(&joint)).trim_end().to_owned()
}

/// Between two columns of cells.
const GAP: usize = 4;

/// Short cells side by side, each as wide as the widest, in as many columns as fit.
pub(super) fn columns(cells: &[(String, String)], indent: usize, width: usize) -> Vec<String> {
    let keys = cells.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let values = cells.iter().map(|(_, value)| value.len()).max().unwrap_or_default();
    let cell = keys + 2 + values;
    let fit = (width.saturating_sub(indent) + GAP) / (cell + GAP);
    let rows = cells.len().div_ceil(fit.clamp(1, 3));
    let row = |row: usize| {
        let each = cells.iter().skip(row).step_by(rows.max(1));
        let text: Vec<_> = each.map(|(key, value)| format!("{key:keys$}  {value:>values$}")).collect();
        format!("{}{}", " ".repeat(indent), text.join(&" ".repeat(GAP)))
    };
    (0..rows).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_hangs_behind_its_prefix_and_goes_below_where_it_is_narrow() {
        let text = "one two three four five six";
        assert_eq!(hang("key  ", 5, text, 30), "key  one two three four five\n     six");
        assert_eq!(hang("a long key  ", 12, text, 30), "a long key\n      one two three four five\n      six");
    }

    #[test]
    fn cells_are_read_downwards() {
        let cells: Vec<_> = ["a", "b", "c"].iter().map(|key| ((*key).to_owned(), "1".to_owned())).collect();
        assert_eq!(columns(&cells, 1, 13), [" a  1    c  1", " b  1"]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_too_long(text in "[a-z ]{0,200}", width in 1_usize..60) {
            let lines = wrap(&text, width);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&lines.join(" ")), words(&text));
            for line in lines {
                prop_assert!(line.len() <= width || !line.contains(' '));
            }
        }
    }
}
