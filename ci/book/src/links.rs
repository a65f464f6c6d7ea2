//! Links between pages: the file is there, and in it the heading.

use std::collections::BTreeMap;

/// What GitHub makes of a heading: small letters, digits, hyphens for blanks, nothing of the rest.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

fn headings(page: &str) -> impl Iterator<Item = String> {
    let text = page.split("\n```").step_by(2).flat_map(str::lines);
    text.filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim()))
}

/// The links of `pages` (by path from the root, with `/`) that lead nowhere. `is_file` knows what else there is.
pub fn dead_links(pages: &BTreeMap<String, String>, is_file: impl Fn(&str) -> bool) -> Vec<String> {
    let mut dead = Vec::new();
    for (path, page) in pages {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { joined(path, file) };
            let is_there = match pages.get(&target) {
                Some(page) => heading.is_empty() || headings(page).any(|known| known == heading),
                None => heading.is_empty() && is_file(&target),
            };
            if !is_there {
                dead.push(format!("{path}: {link}"));
            }
        }
    }
    dead
}

/// `file` as seen from the folder of `path`.
fn joined(path: &str, file: &str) -> String {
    let mut parts: Vec<_> = path.split('/').collect();
    parts.pop();
    for part in file.trim_end_matches('/').split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_seen() {
        let pages = [
            ("README.md", "[a](docs/a.md#checks-checkalways) [b](docs/b.md) [c](src) [d](https://example.org/x)"),
            (
                "docs/a.md",
                "# A\n\n## Checks: `check.always`\n\n```\n# no heading\n```\n[r](../README.md) [n](#no-heading)",
            ),
        ];
        let pages = pages.map(|(path, page)| (path.to_owned(), page.to_owned())).into();
        assert_eq!(dead_links(&pages, |path| path == "src"), ["README.md: docs/b.md", "docs/a.md: #no-heading"]);
    }
}
