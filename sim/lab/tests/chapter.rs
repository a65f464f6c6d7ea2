//! Every command of `docs/own-protocol.md` is run, and says what is shown there; a line of `...` stands for any lines.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::Command;

const PING: &str = "cargo run --release -p sim-lab --example ping -- ";
/// Commands of other programs, which have tests of their own.
const NOT_RUN: [&str; 1] = ["cargo run --release -p fabric-sim -- report small"];

/// A command, and the lines that are shown of what it prints.
fn commands(chapter: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_console = false;
    for line in chapter.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            commands.push((command.to_owned(), Vec::new()));
        } else if is_console {
            commands.last_mut().expect("a block begins with a command").1.push(line.to_owned());
        }
    }
    commands
}

/// Whether `printed` is what `shown` says, `...` apart.
fn says(printed: &[&str], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => (0..=printed.len()).any(|skipped| says(&printed[skipped..], rest)),
        Some((first, rest)) => printed.split_first().is_some_and(|(line, more)| line == first && says(more, rest)),
    }
}

#[test]
fn what_is_shown_is_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let chapter = std::fs::read_to_string(root.join("docs/own-protocol.md")).unwrap();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chapter");
    std::fs::create_dir_all(&dir).unwrap();
    let here = std::env::current_exe().unwrap();
    let program = here.parent().and_then(Path::parent).expect("a test is in target/PROFILE/deps").join("examples/ping");
    let mut run = 0;
    for (command, shown) in commands(&chapter) {
        if NOT_RUN.contains(&command.as_str()) {
            continue;
        }
        let arguments = command.strip_prefix(PING).unwrap_or_else(|| panic!("nobody runs `{command}`"));
        let done = Command::new(&program).args(arguments.split_whitespace()).current_dir(&dir).output().unwrap();
        let printed = String::from_utf8(done.stdout).unwrap();
        let lines: Vec<_> = printed.lines().collect();
        assert!(says(&lines, &shown), "`{command}` prints\n{printed}\nand not\n{}", shown.join("\n"));
        run += 1;
    }
    assert!(run >= 4, "{run} commands were found");
}

#[test]
fn other_lines_and_missing_ones_are_seen() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(says(&["a", "b", "c"], &shown(&["a", "...", "c"])) && says(&["a"], &shown(&["a", "..."])));
    for wrong in [&["a", "b"][..], &["a", "...", "d"], &["b", "..."], &[]] {
        assert!(!says(&["a", "b", "c"], &shown(wrong)), "{wrong:?}");
    }
}
